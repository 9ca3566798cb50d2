/* A check that several public functions share; see solve.c. */
#ifndef LSQ_API_REPORTS_H
#define LSQ_API_REPORTS_H

#include <lsqnet/solver.h>

/* E_VERSION if reports[0].size, the caller's, is less than the first release's; NULL is fine. */
lsqnet_status lsq_check_reports(const lsqnet_report *reports);

#endif
