/* Commands that only choose among others: `annulus data`, `annulus data import`, `annulus ckpt`. */
#ifndef ANNULUS_LAUNCH_MENU_H
#define ANNULUS_LAUNCH_MENU_H

typedef struct menu_item {
    const char *name, *usage, *doc;
    int (*run)(int argc, char **argv); /* argv[0] is its name; returns the exit code */
} menu_item;

typedef struct menu {
    const char *command; /* "annulus data" */
    const char *item;    /* what is chosen: "command", "format" */
    const char *about;   /* first sentence of --help */
    const char *notes;   /* what stands below the list; may be empty */
    const menu_item *items;
    int count;
} menu;

/* Runs the item that argv[1] names, or prints help, or complains. Returns the exit code. */
int menu_run(const menu *menu, int argc, char **argv);

#endif
