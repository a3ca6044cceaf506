/* A small dataset for tests of training: noisy images of four shapes, a fifth of the labels wrong, so that
   the loss stays well above 0. */
#ifndef TESTS_SUPPORT_TINY_DATA_H
#define TESTS_SUPPORT_TINY_DATA_H

enum { TINY_SIDE = 8, TINY_CLASSES = 4, TINY_TRAIN = 250, TINY_TEST = 61 };

/* Writes path: "/train" of TINY_TRAIN samples and "/test" of TINY_TEST, u8 [.,8,8,1] with labels. */
void tiny_data_write(const char *path);
/* The same images, darker: another domain. */
void tiny_data_write_dark(const char *path);
/* The same as f32 in [0, 1), but for one pixel of the training sample `huge`, which is finite and too large
   to compute with. */
void tiny_data_write_f32(const char *path, int huge);

#endif
