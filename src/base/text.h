/* Text that other programs read. Local. */
#ifndef ANN_BASE_TEXT_H
#define ANN_BASE_TEXT_H

#include <stdio.h>

/* Bytes of the UTF-8 sequence at s: 0 if it is none (overlong, surrogate, beyond U+10FFFF, cut short). */
int ann_utf8_bytes(const unsigned char *s);
/* As a JSON string, with its quotes. What is not UTF-8 in it becomes U+FFFD, a byte each. */
void ann_print_json(FILE *to, const char *text);

#endif
