#include "menu.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "base/yaml.h"
#include "cli.h"

enum { MAX_ITEMS = 32 };

static void print_help(const menu *m) {
    int name = 0, usage = 0;
    for (int i = 0; i < m->count; i++) {
        const int n = (int)strlen(m->items[i].name), u = (int)strlen(m->items[i].usage);
        if (n > name) name = n;
        if (u > usage) usage = u;
    }
    char upper[16] = "";
    for (size_t i = 0; m->item[i] && i + 1 < sizeof upper; i++)
        upper[i] = (char)toupper((unsigned char)m->item[i]);
    printf("%s %s\n\nusage: %s %s [OPTION...] ARGUMENT...\n\n%ss:\n", m->command, m->about, m->command, upper,
           m->item);
    for (int i = 0; i < m->count; i++)
        printf("  %-*s  %-*s  %s\n", name, m->items[i].name, usage, m->items[i].usage, m->items[i].doc);
    printf("\n%s%s %s --help is complete for the %s.\n", m->notes, m->command, upper, m->item);
}

static int unknown_item(const menu *m, const char *name) {
    const cli c = {m->command, NULL, NULL, 0};
    const char *names[MAX_ITEMS];
    char accepted[512] = "";
    int n = 0;
    for (; n < m->count && n < MAX_ITEMS; n++) {
        const size_t used = strlen(accepted);
        names[n] = m->items[n].name;
        snprintf(accepted + used, sizeof accepted - used, "%s%s", n > 0 ? ", " : "", names[n]);
    }
    if (name[0] == '\0') return cli_wrong(&c, "a %s is needed, accepted are %s", m->item, accepted);
    const char *nearest = ann_nearest_word(name, names, n);
    if (nearest) return cli_wrong(&c, "unknown %s '%s', did you mean '%s'?", m->item, name, nearest);
    return cli_wrong(&c, "unknown %s '%s', accepted are %s", m->item, name, accepted);
}

int menu_run(const menu *m, int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help(m);
        return 0;
    }
    for (int i = 0; i < m->count; i++)
        if (strcmp(m->items[i].name, name) == 0) return m->items[i].run(argc - 1, argv + 1);
    return unknown_item(m, name);
}
