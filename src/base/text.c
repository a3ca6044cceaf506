#include "base/text.h"

#include <stdint.h>

int ann_utf8_bytes(const unsigned char *s) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (s[0] < 0x80) return 1;
    const int n = s[0] >= 0xf0 && s[0] < 0xf8   ? 4
                  : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                  : s[0] >= 0xc0 && s[0] < 0xe0 ? 2
                                                : 0;
    if (!n) return 0;
    uint32_t code = s[0] & (0xffu >> (n + 1));
    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (s[i] & 0x3fu);
    }
    return code >= least[n] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? n : 0;
}

void ann_print_json(FILE *to, const char *text) {
    fputc('"', to);
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        const int n = ann_utf8_bytes(at);
        if (*at == '"' || *at == '\\') fprintf(to, "\\%c", *at);
        else if (*at < 0x20 || *at == 0x7f) fprintf(to, "\\u%04x", *at);
        else if (n == 0) fputs("\\ufffd", to);
        else fwrite(at, 1, (size_t)n, to);
        at += n ? n : 1;
    }
    fputc('"', to);
}
