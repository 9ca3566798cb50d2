/** @file
 * All of liblsqnet. */
#ifndef LSQNET_LSQNET_H
#define LSQNET_LSQNET_H

#include <lsqnet/context.h>
#include <lsqnet/gels.h>
#include <lsqnet/mixer.h>
#include <lsqnet/model.h>
#include <lsqnet/solver.h>
#include <lsqnet/status.h>
#include <lsqnet/task.h>
#include <lsqnet/train.h>

#endif
