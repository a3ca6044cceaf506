/* How `annulus ctl` prints what the coordinator says. */
#ifndef ANNULUS_LAUNCH_CTL_H
#define ANNULUS_LAUNCH_CTL_H

#include <stdio.h>
#include "coord/coord.h"

/* One line of JSON with the field names of annulus.proto; enums by their names, not-a-numbers as null. */
void ctl_print_json(FILE *to, const ProtobufCMessage *message);

void ctl_print_list(const Annulus__V1__ListReply *reply);
void ctl_print_status(const Annulus__V1__StatusReply *reply);
void ctl_print_log(const Annulus__V1__LogReply *reply);
void ctl_print_record(const Annulus__V1__Record *record);

/* "2026-01-31 12:30:01", local time; "-" for 0. Returns buf. */
char *ctl_time(char *buf, size_t size, int64_t time_ms);
/* Text of somebody else, without the characters that move a terminal's cursor. Returns buf. */
char *ctl_safe(char *buf, size_t size, const char *text);
/* "ACTIVE" of RUN_ACTIVE: an enum value's name without its prefix. */
const char *ctl_enum(const ProtobufCEnumDescriptor *kind, int value);

#endif
