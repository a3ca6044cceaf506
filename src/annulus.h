/* The whole library: #include <annulus.h>. Each module's header can be read alone; README.md has an example.
 */
#ifndef ANN_ANNULUS_H
#define ANN_ANNULUS_H

#include "base/version.h"
#include "base/status.h"
#include "base/log.h"
#include "base/philox.h"
#include "tensor/tensor.h"
#include "tensor/store.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "exec/exec.h"
#include "comm/comm.h"
#include "data/data.h"
#include "ckpt/ckpt.h"
#include "nn/nn.h"
#include "optim/optim.h"
#include "method/method.h"
#include "method/judge.h"
#include "method/select.h"
#include "method/weigh.h"

#endif
