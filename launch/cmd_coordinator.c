/* annulus coordinator */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "base/log.h"
#include "cli.h"
#include "coord/coord.h"
#include "coord/web.h"
#include "coord_state.h"

static const char help[] =
    "annulus coordinator serves runs: jobs register with it and are told which phase is next, report metrics "
    "and\n"
    "checkpoints, and get what operators ask for (annulus ctl). Its state is in one folder; killed at any "
    "instant and\n"
    "started again, it goes on where it was.\n\n"
    "usage: annulus coordinator [--listen HOST:PORT] [--state DIR] [--plain] [--http [HOST:]PORT]\n"
    "                           [--lost-after S] [--keep-days N]\n"
    "       annulus coordinator init [--state DIR] [--host NAME]... [--days N] [--client NAME [--role "
    "ROLE]]\n\n"
    "options:\n"
    "  --listen HOST:PORT  where to listen (127.0.0.1:0); port 0 picks a free one. What was picked is "
    "printed, and\n"
    "                      written to DIR/address\n"
    "  --state DIR         the folder ($XDG_STATE_HOME/annulus, or ~/.local/state/annulus)\n"
    "  --plain             no TLS: only on the loopback interface. Clients send the token in "
    "DIR/token-control or\n"
    "                      DIR/token-observe, which are made, and which only their owner may read\n"
    "  --lost-after S      a job that is silent for S seconds is lost, and its phase is free again (30)\n"
    "  --keep-days N       removes metrics of runs that no job has worked on for N days (90); events, phases "
    "and\n"
    "                      checkpoints stay, and the audit log four times as long. 0: keeps all\n"
    "  --http [HOST:]PORT  serves a web page, too: runs, phases, curves, ranks, events. It only reads, and "
    "has no "
    "passwords:\n"
    "                      whoever can connect can look. Without HOST that is this machine (127.0.0.1); port "
    "0 "
    "picks a free one\n"
    "  --help              this text\n\n"
    "init makes certificates for TLS in DIR: an authority (ca.crt, ca.key), the server's, and two for "
    "clients: control,\n"
    "which may do everything, and observe, which may only look. A client needs ca.crt and one of the two "
    "with its key in a\n"
    "folder of its own. Keys have mode 0600; keep ca.key where nobody else comes.\n"
    "  --host NAME         a name or address under which clients reach the coordinator, besides localhost "
    "and this\n"
    "                      host's name; may be repeated\n"
    "  --days N            how long certificates are good (365)\n"
    "  --client NAME       makes one more client certificate, NAME.crt and NAME.key; the audit log will call "
    "its holder NAME\n"
    "  --role ROLE         of this client: control or observe (observe)\n\n"
    "SIGTERM and SIGINT end the coordinator; jobs go on without it.\n";

const char *coord_state_dir(char *buf, size_t size, const char *given) {
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (given) snprintf(buf, size, "%s", given);
    else if (xdg && xdg[0]) snprintf(buf, size, "%s/annulus", xdg);
    else snprintf(buf, size, "%s/.local/state/annulus", home ? home : ".");
    for (char *slash = strchr(buf + 1, '/'); !given && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(buf, 0755);
        *slash = '/';
    }
    return buf;
}

/* One file descriptor per connection: as many as may be had. */
static void raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Starts what was asked for. */
static ann_status start(ann_coord_server **server, ann_coord_web **web,
                        const ann_coord_server_options *options, const char *http) {
    *web = NULL;
    ANN_TRY(ann_coord_server_start(server, options));
    const ann_status status = http ? ann_coord_web_start(web, options->dir, http) : ANN_OK;
    if (status != ANN_OK) ann_coord_server_stop(*server);
    return status;
}

static int serve(const ann_coord_server_options *options, const char *http) {
    ann_coord_server *server;
    ann_coord_web *web;
    sigset_t ends;
    int signal_number;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL); /* before any thread starts */
    signal(SIGPIPE, SIG_IGN);
    umask(077); /* what is in the folder is nobody else's */
    raise_file_limit();
    const ann_status status = start(&server, &web, options, http);
    if (status != ANN_OK) return cli_fail(status);
    printf("coordinator listens on %s\n", ann_coord_server_address(server));
    if (web) printf("web page at %s\n", ann_coord_web_address(web));
    fflush(stdout);
    while (sigwait(&ends, &signal_number) != 0)
        ;
    ann_log_line(ANN_LOG_INFO, "coordinator: %s, ends", strsignal(signal_number));
    ann_coord_web_stop(web);
    ann_coord_server_stop(server);
    return 0;
}

typedef struct init_options {
    const char *dir, *client, *role, *days;
    const char **hosts;
    int host_count;
} init_options;

static int init(const cli *c, const init_options *o) {
    int64_t days = 365;
    ann_status status;
    if (o->days && !cli_int(c, "--days", o->days, 0, 36500, &days))
        return ann_status_exit_code(ANN_ERR_CONFIG);
    const char *role = o->role ? o->role : "observe";
    const bool control = strcmp(role, "control") == 0;
    if (!control && strcmp(role, "observe") != 0)
        return cli_wrong(c, "unknown role '%s', accepted are control, observe", role);
    if (o->role && !o->client) return cli_wrong(c, "--role goes with --client");
    if (o->client) status = ann_coord_init_client(o->dir, o->client, control, (int)days);
    else status = ann_coord_init(o->dir, o->hosts, o->host_count, (int)days);
    if (status != ANN_OK) return cli_fail(status);
    if (o->client)
        printf("%s/%s.crt and %s.key: role %s, good for %d days\n", o->dir, o->client, o->client, role,
               (int)days);
    else
        printf("%s: certificates of the authority, the server, and clients with the roles control and "
               "observe, good for %d days\n",
               o->dir, (int)days);
    return 0;
}

int cmd_coordinator(int argc, char **argv) {
    const char *listen = "127.0.0.1:0", *state = NULL, *lost = NULL, *keep = NULL, *http = NULL;
    init_options make = {0};
    bool plain = false;
    int count;
    int64_t lost_s = 30, keep_days = 0;
    char dir[2048];
    const char **hosts = calloc((size_t)argc, sizeof *hosts);
    const cli_option options[] = {{.name = "--listen", .value = &listen},
                                  {.name = "--state", .value = &state},
                                  {.name = "--plain", .flag = &plain},
                                  {.name = "--lost-after", .value = &lost},
                                  {.name = "--keep-days", .value = &keep},
                                  {.name = "--http", .value = &http},
                                  {.name = "--days", .value = &make.days},
                                  {.name = "--client", .value = &make.client},
                                  {.name = "--role", .value = &make.role},
                                  {.name = "--host", .list = hosts, .list_count = &make.host_count}};
    const cli c = {"annulus coordinator", help, options, sizeof options / sizeof options[0]};
    int code = 0;
    if (!hosts) return cli_fail(ann_error(ANN_ERR_MEMORY, "no memory for the command line"));
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    const bool initialise = parsed == CLI_GO && count == 1 && strcmp(argv[0], "init") == 0;
    make.dir = coord_state_dir(dir, sizeof dir, state);
    make.hosts = hosts;
    if (parsed == CLI_WRONG) code = ann_status_exit_code(ANN_ERR_CONFIG);
    else if (parsed == CLI_HELP) code = 0;
    else if (initialise) code = init(&c, &make);
    else if (count) code = cli_wrong(&c, "unknown argument '%s', accepted is init", argv[0]);
    else if (make.days || make.client || make.role || make.host_count)
        code = cli_wrong(&c, "--host, --days, --client and --role go with init");
    else if ((lost && !cli_int(&c, "--lost-after", lost, 1, 86400, &lost_s)) ||
             (keep && !cli_int(&c, "--keep-days", keep, 0, 36500, &keep_days)))
        code = ann_status_exit_code(ANN_ERR_CONFIG);
    else
        code = serve(&(ann_coord_server_options){.listen = listen,
                                                 .dir = make.dir,
                                                 .plain = plain,
                                                 .lost_after_ms = (int)lost_s * 1000,
                                                 .keep_days = keep && keep_days == 0 ? -1 : (int)keep_days},
                     http);
    free(hosts);
    return code;
}
