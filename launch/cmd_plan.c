/* annulus plan */
#include "cli.h"
#include "menu.h"
#include "plan.h"

static const menu_item commands[] = {
    {"scaling", "RUN.yaml", "predict steps and efficiency on more nodes", plan_scaling},
};

int cmd_plan(int argc, char **argv) {
    const menu m = {.command = "annulus plan",
                    .item = "command",
                    .about = "predicts how a run behaves on machines that are not at hand.",
                    .notes = "",
                    .items = commands,
                    .count = sizeof commands / sizeof commands[0]};
    return menu_run(&m, argc, argv);
}
