/* Made by tests/reference/gen_select.py with numpy 1.24.2 and PyTorch 1.13.0a0. */
/* clang-format off */
static const double select_entropy = 0.75897414800209939;
static const double select_information = 0.82831170071682558;
static const double select_density = 1.9870771048181686;
static const double select_dev = 2.7016394394620131;
/* |d risk / d v| over the least curvature of the regression's loss: risk per gradient that is left. */
static const double select_dev_per_gradient = 16.184680215931099;
