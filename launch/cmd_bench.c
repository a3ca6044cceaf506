/* annulus bench */
#include "bench.h"
#include "cli.h"
#include "menu.h"

static const menu_item commands[] = {
    {"allreduce", "", "sums over ranks, beside MPI_Allreduce and the limit of memory or wire",
     bench_allreduce},
    {"overlap", "RUN.yaml", "what communication costs the training steps of a phase, message by message",
     bench_overlap},
};

int cmd_bench(int argc, char **argv) {
    const menu m = {.command = "annulus bench",
                    .item = "command",
                    .about = "measures what communication costs on these hosts.",
                    .notes = "Run it under mpirun, with the options that training will have.\n",
                    .items = commands,
                    .count = sizeof commands / sizeof commands[0]};
    return menu_run(&m, argc, argv);
}
