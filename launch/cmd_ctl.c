/* annulus ctl */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "cli.h"
#include "coord_state.h"
#include "ctl.h"
#include "ctl_live.h"

static const char help[] =
    "annulus ctl asks the coordinator about runs, and steers them.\n\n"
    "usage: annulus ctl COMMAND [OPTION...] [ARGUMENT...]\n\n"
    "commands:\n"
    "  list                         all runs, the one that changed last first\n"
    "  status RUN                   its phases, jobs and requests\n"
    "  watch RUN                    metrics and events as they come, until the run is done\n"
    "  submit RUN.yaml              make a run of this file known; jobs may register with it\n"
    "  pause RUN                    train no further after the step under way\n"
    "  resume RUN                   go on; a run that was stopped may be started again\n"
    "  checkpoint RUN               write a checkpoint now\n"
    "  stop RUN                     end with a checkpoint\n"
    "  set RUN lr_factor=X          X times the learning rate of the schedule\n"
    "  set RUN log_interval=N       N steps between log lines\n"
    "  log [RUN]                    the audit log: who asked for what, and what was refused\n\n"
    "options:\n"
    "  --state DIR          the coordinator's folder, or one with the files ca.crt, NAME.crt and NAME.key\n"
    "                       ($XDG_STATE_HOME/annulus, or ~/.local/state/annulus)\n"
    "  --address HOST:PORT  where the coordinator is (what stands in DIR/address)\n"
    "  --client NAME        use NAME.crt and NAME.key, or token-NAME (control, and if that is not there, "
    "observe)\n"
    "  --plain              no TLS: to a coordinator that was started so\n"
    "  --json               one JSON object per line, for programs; its keys are those of "
    "src/coord/annulus.proto\n"
    "  --timeout S          give up after S seconds (5); watch: without a connection for so long\n"
    "  --from N             watch: from record N on (1); 0: only new ones\n"
    "  --lines              watch: plain lines also on a terminal, where else a picture is drawn\n"
    "  --after STEP         stop: after this step (as soon as possible)\n"
    "  --phase PHASE        only the job that is at this phase\n"
    "  --name RUN           submit: the run's name (the file's, without .yaml)\n"
    "  --help               this text\n\n"
    "A request is applied at the same step on all ranks; watch and log tell at which.\n";

typedef struct ctl {
    const cli *cli;
    ann_coord_client *client;
    const ann_coord_client_options *options;
    bool json, lines;
    const char *run, *argument, *from, *after, *phase, *name;
    int timeout_ms;
} ctl;

/* ---- questions ---- */

static int ask(ctl *c, ann_coord_method method, const ProtobufCMessage *request,
               void (*print)(const ProtobufCMessage *)) {
    ProtobufCMessage *reply;
    const ann_status status = ann_coord_call(c->client, method, request, &reply);
    if (status != ANN_OK) return cli_fail(status);
    if (c->json) {
        ctl_print_json(stdout, reply);
        putchar('\n');
    } else {
        print(reply);
    }
    protobuf_c_message_free_unpacked(reply, NULL);
    return 0;
}

static void print_list(const ProtobufCMessage *reply) {
    ctl_print_list((const Annulus__V1__ListReply *)reply);
}
static void print_status(const ProtobufCMessage *reply) {
    ctl_print_status((const Annulus__V1__StatusReply *)reply);
}

static int ctl_list(ctl *c) {
    const Annulus__V1__ListRequest request = ANNULUS__V1__LIST_REQUEST__INIT;
    return ask(c, ANN_COORD_LIST, &request.base, print_list);
}

static int ctl_status(ctl *c) {
    Annulus__V1__StatusRequest request = ANNULUS__V1__STATUS_REQUEST__INIT;
    request.run = (char *)c->run;
    return ask(c, ANN_COORD_STATUS, &request.base, print_status);
}

/* All of it, page by page. */
static int ctl_log(ctl *c) {
    Annulus__V1__LogRequest request = ANNULUS__V1__LOG_REQUEST__INIT;
    request.run = (char *)(c->run ? c->run : "");
    for (bool more = true; more;) {
        ProtobufCMessage *base;
        const ann_status status = ann_coord_call(c->client, ANN_COORD_LOG, &request.base, &base);
        if (status != ANN_OK) return cli_fail(status);
        const Annulus__V1__LogReply *reply = (const Annulus__V1__LogReply *)base;
        for (size_t i = 0; c->json && i < reply->n_entries; i++) {
            ctl_print_json(stdout, &reply->entries[i]->base);
            putchar('\n');
        }
        if (!c->json) ctl_print_log(reply);
        more = reply->n_entries > 0;
        if (more) request.after = reply->entries[reply->n_entries - 1]->id;
        protobuf_c_message_free_unpacked(base, NULL);
    }
    return 0;
}

/* ---- watch ---- */

static bool print_record(void *context, const Annulus__V1__Record *record) {
    const ctl *c = context;
    if (c->json) {
        ctl_print_json(stdout, &record->base);
        putchar('\n');
    } else {
        ctl_print_record(record);
    }
    if (fflush(stdout) != 0) return false; /* nobody reads on */
    return record->what_case != ANNULUS__V1__RECORD__WHAT_EVENT ||
           strcmp(record->event->kind, "run_done") != 0;
}

/* On a terminal, a picture, for which a second connection asks for the status. */
static ann_status watch_live(ctl *c, uint64_t from) {
    ann_coord_client *asker;
    ANN_TRY(ann_coord_client_open(&asker, c->options));
    const ann_status status = ctl_live(c->client, asker, c->run, from, c->timeout_ms);
    ann_coord_client_close(asker);
    return status;
}

static int ctl_watch(ctl *c) {
    int64_t from = 1;
    ann_status status;
    if (c->from && !cli_int(c->cli, "--from", c->from, 0, INT64_MAX, &from))
        return ann_status_exit_code(ANN_ERR_CONFIG);
    if (!c->json && !c->lines && isatty(STDOUT_FILENO)) status = watch_live(c, (uint64_t)from);
    else status = ann_coord_watch(c->client, c->run, (uint64_t)from, c->timeout_ms, print_record, c);
    return status == ANN_OK ? 0 : cli_fail(status);
}

/* ---- requests ---- */

/* Repeats a request that may be repeated, after its connection was lost. */
static ann_status insist(ctl *c, ann_coord_method method, const ProtobufCMessage *request,
                         ProtobufCMessage **reply) {
    ann_status status = ANN_OK;
    for (int tries = 0; tries < 3; tries++) {
        status = ann_coord_call(c->client, method, request, reply);
        if (status != ANN_ERR_COMM && status != ANN_ERR_TIMEOUT) break;
    }
    return status;
}

static int request_control(ctl *c, Annulus__V1__ControlKind kind, int64_t step, double value) {
    Annulus__V1__ControlRequest request = ANNULUS__V1__CONTROL_REQUEST__INIT;
    unsigned char random[16];
    char key[2 * sizeof random + 1];
    ProtobufCMessage *base;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return cli_fail(ann_error(ANN_ERR_IO, "no random numbers"));
    for (size_t i = 0; i < sizeof random; i++) snprintf(key + 2 * i, 3, "%02x", random[i]);
    request.run = (char *)c->run;
    request.kind = kind;
    request.step = step;
    request.value = value;
    request.phase = (char *)(c->phase ? c->phase : "");
    request.key = key;
    const ann_status status = insist(c, ANN_COORD_CONTROL, &request.base, &base);
    if (status != ANN_OK) return cli_fail(status);
    const Annulus__V1__ControlReply *reply = (const Annulus__V1__ControlReply *)base;
    if (c->json) {
        ctl_print_json(stdout, base);
        putchar('\n');
    } else if (reply->jobs) {
        printf("request %lld: handed to %d job%s\n", (long long)reply->id, (int)reply->jobs,
               reply->jobs == 1 ? "" : "s");
    } else {
        printf("request %lld: no job works on the run now\n", (long long)reply->id);
    }
    protobuf_c_message_free_unpacked(base, NULL);
    return 0;
}

static int ctl_pause(ctl *c) { return request_control(c, ANNULUS__V1__CONTROL_KIND__PAUSE, -1, 0); }
static int ctl_resume(ctl *c) { return request_control(c, ANNULUS__V1__CONTROL_KIND__RESUME, -1, 0); }
static int ctl_checkpoint(ctl *c) { return request_control(c, ANNULUS__V1__CONTROL_KIND__CHECKPOINT, -1, 0); }

static int ctl_stop(ctl *c) {
    int64_t step = -1;
    if (c->after && !cli_int(c->cli, "--after", c->after, 0, INT64_MAX, &step))
        return ann_status_exit_code(ANN_ERR_CONFIG);
    return request_control(c, ANNULUS__V1__CONTROL_KIND__STOP, step, 0);
}

static int ctl_set(ctl *c) {
    static const struct {
        const char *name;
        Annulus__V1__ControlKind kind;
    } settings[] = {{"lr_factor=", ANNULUS__V1__CONTROL_KIND__SET_LR_FACTOR},
                    {"log_interval=", ANNULUS__V1__CONTROL_KIND__SET_LOG_INTERVAL}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const size_t length = strlen(settings[i].name);
        char *rest;
        if (strncmp(c->argument, settings[i].name, length) != 0) continue;
        const double value = strtod(c->argument + length, &rest);
        if (rest == c->argument + length || *rest) break;
        return request_control(c, settings[i].kind, -1, value);
    }
    return cli_wrong(c->cli, "cannot set '%s', accepted are lr_factor=NUMBER, log_interval=STEPS",
                     c->argument);
}

/* ---- submit ---- */

static char *read_text(const char *path) {
    enum { MOST_BYTES = 1 << 20 };
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(MOST_BYTES + 1) : NULL;
    const size_t bytes = text ? fread(text, 1, MOST_BYTES + 1, file) : 0;
    if (file) fclose(file);
    if (bytes && bytes <= MOST_BYTES && !memchr(text, '\0', bytes)) {
        text[bytes] = '\0';
        return text;
    }
    free(text);
    return NULL;
}

static int ctl_submit(ctl *c) {
    Annulus__V1__SubmitRequest request = ANNULUS__V1__SUBMIT_REQUEST__INIT;
    const char *slash = strrchr(c->run, '/');
    char name[256];
    ProtobufCMessage *base;
    snprintf(name, sizeof name, "%s", c->name ? c->name : slash ? slash + 1 : c->run);
    char *dot = strrchr(name, '.');
    if (!c->name && dot && strcmp(dot, ".yaml") == 0) *dot = '\0';
    request.run = name;
    request.run_file = read_text(c->run);
    if (!request.run_file)
        return cli_fail(
            ann_error(ANN_ERR_NOT_FOUND, "%s cannot be read, is empty, or is larger than 1 MiB", c->run));
    const ann_status status = insist(c, ANN_COORD_SUBMIT, &request.base, &base);
    free(request.run_file);
    if (status != ANN_OK) return cli_fail(status);
    if (c->json) {
        ctl_print_json(stdout, base);
        putchar('\n');
    } else {
        printf("run %s %s\n", name,
               ((const Annulus__V1__SubmitReply *)base)->known ? "was known already" : "is known now");
    }
    protobuf_c_message_free_unpacked(base, NULL);
    return 0;
}

/* ---- the command ---- */

static const struct {
    const char *name;
    int least, most; /* arguments */
    int (*run)(ctl *c);
} commands[] = {
    {"list", 0, 0, ctl_list},
    {"status", 1, 1, ctl_status},
    {"watch", 1, 1, ctl_watch},
    {"submit", 1, 1, ctl_submit},
    {"pause", 1, 1, ctl_pause},
    {"resume", 1, 1, ctl_resume},
    {"checkpoint", 1, 1, ctl_checkpoint},
    {"stop", 1, 1, ctl_stop},
    {"set", 2, 2, ctl_set},
    {"log", 0, 1, ctl_log},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static int run_command(ctl *c, const ann_coord_client_options *options, int argc, char **argv) {
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, argv[0]) != 0) continue;
        if (argc - 1 < commands[i].least || argc - 1 > commands[i].most)
            return cli_wrong(c->cli, "%s: %d argument%s needed, found %d", argv[0], commands[i].least,
                             commands[i].least == 1 ? " is" : "s are", argc - 1);
        c->run = argc > 1 ? argv[1] : NULL;
        c->argument = argc > 2 ? argv[2] : NULL;
        const ann_status status = ann_coord_client_open(&c->client, options);
        if (status != ANN_OK) return cli_fail(status);
        const int code = commands[i].run(c);
        ann_coord_client_close(c->client);
        return code;
    }
    return cli_wrong(c->cli,
                     "unknown command '%s', accepted are list, status, watch, submit, pause, resume, "
                     "checkpoint, stop, set, log",
                     argv[0]);
}

int cmd_ctl(int argc, char **argv) {
    const char *state = NULL, *timeout = NULL;
    ann_coord_client_options o = {0};
    ctl c = {0};
    char dir[2048];
    int count;
    int64_t timeout_s = 5;
    const cli_option options[] = {
        {.name = "--state", .value = &state},   {.name = "--address", .value = &o.address},
        {.name = "--client", .value = &o.name}, {.name = "--plain", .flag = &o.plain},
        {.name = "--json", .flag = &c.json},    {.name = "--timeout", .value = &timeout},
        {.name = "--from", .value = &c.from},   {.name = "--after", .value = &c.after},
        {.name = "--phase", .value = &c.phase}, {.name = "--name", .value = &c.name},
        {.name = "--lines", .flag = &c.lines}};
    const cli line = {"annulus ctl", help, options, sizeof options / sizeof options[0]};
    const cli_result parsed = cli_parse(&line, argc, argv, &count);
    if (parsed != CLI_GO) return parsed == CLI_HELP ? 0 : ann_status_exit_code(ANN_ERR_CONFIG);
    c.cli = &line;
    c.options = &o;
    if (count == 0) return cli_wrong(&line, "a command is needed");
    if (timeout && !cli_int(&line, "--timeout", timeout, 1, 86400, &timeout_s))
        return ann_status_exit_code(ANN_ERR_CONFIG);
    o.dir = coord_state_dir(dir, sizeof dir, state);
    o.timeout_ms = c.timeout_ms = (int)timeout_s * 1000;
    signal(SIGPIPE, SIG_IGN);
    return run_command(&c, &o, count, argv);
}
