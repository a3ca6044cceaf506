#include "method/select.h"

const ann_select_criterion ann_select_criteria[ANN_SELECT_CRITERIA] = {
    {.name = "entropy", .score = ann_select_entropy},
    {.name = "im", .higher_is_better = true, .score = ann_select_information},
    {.name = "snd", .higher_is_better = true, .score = ann_select_density},
    {.name = "dev", .needs_source = true, .score = ann_select_dev},
};
