#include "base/pool.h"

#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct {
  pthread_t thread;
  struct lsq_pool *pool;
  int64_t lane;
} worker;

struct lsq_pool {
  int64_t lanes; /* workers + 1 */
  pid_t process; /* that the workers are in: a child made by fork has none */
  worker *workers;
  int64_t started;
  pthread_mutex_t busy; /* held by the caller whose call the workers do */
  pthread_mutex_t lock; /* guards all below */
  pthread_cond_t work, idle;
  int64_t generation; /* moves with each call */
  int64_t at_work;    /* workers that have not finished this call */
  int quit;
  fenv_t arithmetic; /* the caller's: workers compute in it, not in what the context's creator had */
  lsq_task_fn task;
  void *argument;
  int64_t count, next;
  int64_t failed; /* lowest index that failed; count if none */
  lsqnet_status status;
  char message[512];
};

/* Takes tasks until none is left. Called and left with the lock held. */
static void do_tasks(struct lsq_pool *pool, int64_t lane) {
  while (pool->next < pool->count && pool->status == LSQNET_OK) {
    const int64_t index = pool->next++;
    pthread_mutex_unlock(&pool->lock);
    const lsqnet_status st = pool->task(pool->argument, index, lane);
    pthread_mutex_lock(&pool->lock);
    if (st != LSQNET_OK && index < pool->failed) {
      pool->failed = index;
      pool->status = st;
      memcpy(pool->message, lsqnet_last_message(), sizeof pool->message);
    }
  }
}

static void *work(void *argument) {
  worker *self = argument;
  struct lsq_pool *pool = self->pool;
  int64_t seen = 0;
  pthread_mutex_lock(&pool->lock);
  for (;;) {
    while (!pool->quit && pool->generation == seen) pthread_cond_wait(&pool->work, &pool->lock);
    if (pool->quit) break;
    seen = pool->generation;
    (void)fesetenv(&pool->arithmetic);
    do_tasks(pool, self->lane);
    if (--pool->at_work == 0) pthread_cond_signal(&pool->idle);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

lsqnet_status lsq_pool_create(struct lsq_pool **out, const lsqnet_context *context, int32_t threads) {
  lsqnet_status st = LSQNET_OK;
  struct lsq_pool *pool = NULL;
  *out = NULL;
  LSQ_TRY(lsq_alloc(context, &pool, 1, sizeof *pool));
  pthread_mutex_init(&pool->busy, NULL);
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->work, NULL);
  pthread_cond_init(&pool->idle, NULL);
  pool->process = getpid();
  pool->lanes = threads > 0 ? threads : (int64_t)sysconf(_SC_NPROCESSORS_ONLN);
  if (pool->lanes < 1) pool->lanes = 1;
  LSQ_TRY(lsq_alloc(context, &pool->workers, pool->lanes - 1, sizeof *pool->workers));
  while (pool->started < pool->lanes - 1) {
    worker *w = &pool->workers[pool->started];
    *w = (worker){.pool = pool, .lane = pool->started + 1};
    if (pthread_create(&w->thread, NULL, work, w) != 0) {
      st = lsq_fail(LSQNET_E_MEMORY, "thread %lld of %lld could not be started", (long long)pool->started + 2,
                    (long long)pool->lanes);
      goto done;
    }
    pool->started++;
  }
  *out = pool;
  pool = NULL;
done:
  lsq_pool_destroy(pool, context);
  return st;
}

void lsq_pool_destroy(struct lsq_pool *pool, const lsqnet_context *context) {
  if (pool == NULL) return;
  if (pool->process != getpid()) goto release; /* locks and conditions are as a worker may have held them */
  pthread_mutex_lock(&pool->lock);
  pool->quit = 1;
  pthread_cond_broadcast(&pool->work);
  pthread_mutex_unlock(&pool->lock);
  for (int64_t i = 0; i < pool->started; i++) pthread_join(pool->workers[i].thread, NULL);
  pthread_cond_destroy(&pool->idle);
  pthread_cond_destroy(&pool->work);
  pthread_mutex_destroy(&pool->lock);
  pthread_mutex_destroy(&pool->busy);
release:
  lsq_free(context, pool->workers);
  lsq_free(context, pool);
}

int64_t lsq_pool_lanes(const struct lsq_pool *pool) { return pool->lanes; }

static lsqnet_status run_serially(int64_t count, lsq_task_fn task, void *argument) {
  lsqnet_status st = LSQNET_OK;
  for (int64_t i = 0; i < count; i++) LSQ_TRY(task(argument, i, 0));
done:
  return st;
}

/* Until a worker signals, or a millisecond is over: then `watch` has its turn. Called and left with the lock held. */
static void wait_and_watch(struct lsq_pool *pool, void *argument, void (*watch)(void *argument)) {
  enum { MILLISECOND = 1000000, SECOND = 1000000000 };
  struct timespec until;
  (void)clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += MILLISECOND;
  if (until.tv_nsec >= SECOND) {
    until.tv_nsec -= SECOND;
    until.tv_sec++;
  }
  if (pthread_cond_timedwait(&pool->idle, &pool->lock, &until) != ETIMEDOUT) return;
  pthread_mutex_unlock(&pool->lock);
  watch(argument);
  pthread_mutex_lock(&pool->lock);
}

lsqnet_status lsq_pool_run(struct lsq_pool *pool, int64_t count, lsq_task_fn task, void *argument) {
  return lsq_pool_run_watched(pool, count, task, argument, NULL);
}

lsqnet_status lsq_pool_run_watched(struct lsq_pool *pool, int64_t count, lsq_task_fn task, void *argument,
                                   void (*watch)(void *argument)) {
  if (pool->lanes == 1 || count == 1 || pool->process != getpid() || pthread_mutex_trylock(&pool->busy) != 0)
    return run_serially(count, task, argument);
  pthread_mutex_lock(&pool->lock);
  pool->task = task;
  pool->argument = argument;
  pool->count = pool->failed = count;
  pool->next = 0;
  pool->status = LSQNET_OK;
  (void)fegetenv(&pool->arithmetic);
  pool->at_work = pool->started;
  pool->generation++;
  pthread_cond_broadcast(&pool->work);
  do_tasks(pool, 0);
  while (pool->at_work > 0) {
    if (watch != NULL)
      wait_and_watch(pool, argument, watch);
    else
      pthread_cond_wait(&pool->idle, &pool->lock);
  }
  const lsqnet_status st = pool->status;
  if (st != LSQNET_OK) lsqnet_set_message(pool->message);
  pthread_mutex_unlock(&pool->lock);
  pthread_mutex_unlock(&pool->busy);
  return st;
}
