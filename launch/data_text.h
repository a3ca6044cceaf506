/* Texts of options that several commands of `annulus data` take. */
#ifndef ANNULUS_LAUNCH_DATA_TEXT_H
#define ANNULUS_LAUNCH_DATA_TEXT_H

#include "data/data.h"

/* Each returns false if the text is not what is accepted. */

/* "28,28,1" */
bool data_text_shape(ann_shape *out, const char *text);
/* "28x30": rows and columns, from 1 to 32768 */
bool data_text_size(int *height, int *width, const char *text);
/* "x=train/data"; the text is cut at '='. */
bool data_text_field(ann_field_source *out, const char *text);

#endif
