#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"

bool cli_is_first_rank(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *rank = getenv(names[i]);
        if (rank) return strcmp(rank, "0") == 0;
    }
    return true;
}

int cli_wrong(const cli *c, const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (cli_is_first_rank()) fprintf(stderr, "%s: %s; see %s --help\n", c->command, text, c->command);
    return ann_status_exit_code(ANN_ERR_CONFIG);
}

/* The option that `arg` names ("--set", "--set=x"), or NULL. */
static const cli_option *find_option(const cli *c, const char *arg) {
    const size_t length = strcspn(arg, "=");
    for (int i = 0; i < c->option_count; i++)
        if (strlen(c->options[i].name) == length && strncmp(c->options[i].name, arg, length) == 0)
            return &c->options[i];
    return NULL;
}

/* Takes the option at argv[*i], and its value, which may be the next argument. */
static cli_result take_option(const cli *c, int argc, char **argv, int *i) {
    const cli_option *option = find_option(c, argv[*i]);
    const char *equals = strchr(argv[*i], '=');
    if (!option) {
        cli_wrong(c, "unknown option %s", argv[*i]);
        return CLI_WRONG;
    }
    if (option->flag) {
        if (equals) {
            cli_wrong(c, "%s takes no value", option->name);
            return CLI_WRONG;
        }
        *option->flag = true;
        return CLI_GO;
    }
    if (!equals && *i + 1 >= argc) {
        cli_wrong(c, "%s needs a value", option->name);
        return CLI_WRONG;
    }
    const char *value = equals ? equals + 1 : argv[++*i];
    if (option->list) option->list[(*option->list_count)++] = value;
    else *option->value = value;
    return CLI_GO;
}

cli_result cli_parse(const cli *c, int argc, char **argv, int *count) {
    bool options_end = false;
    *count = 0;
    for (int i = 1; i < argc; i++) { /* help wins over complaints */
        if (strcmp(argv[i], "--") == 0) break;
        if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0) continue;
        fputs(c->help, stdout);
        return CLI_HELP;
    }
    for (int i = 1; i < argc; i++) {
        if (options_end || argv[i][0] != '-' || !argv[i][1]) {
            argv[(*count)++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else {
            const cli_result result = take_option(c, argc, argv, &i);
            if (result != CLI_GO) return result;
        }
    }
    return CLI_GO;
}

bool cli_int(const cli *c, const char *name, const char *text, int64_t min, int64_t max, int64_t *out) {
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (end != text && !*end && !errno && value >= min && value <= max) {
        *out = value;
        return true;
    }
    cli_wrong(c, "%s: found '%s', accepted is an integer from %lld to %lld", name, text, (long long)min,
              (long long)max);
    return false;
}

int cli_fail(ann_status status) {
    const char *text = ann_error_text();
    ann_log_line(status == ANN_ERR_STOP ? ANN_LOG_INFO : ANN_LOG_ERROR, "%s",
                 text[0] ? text : ann_status_text(status));
    char trace[4096];
    ann_error_trace(trace, sizeof trace);
    for (char *line = trace, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        if (!end) break;
        ann_log_line(ANN_LOG_DEBUG, "at %.*s", (int)(end - line), line);
    }
    return ann_status_exit_code(status);
}

void cli_print(void *to, const char *line) {
    (void)to;
    puts(line);
    fflush(stdout);
}
