/* Every public function with a call that succeeds: what each argument is, so that it can be made wrong. */
#ifndef TESTS_API_TABLE_H
#define TESTS_API_TABLE_H

#include <lsqnet/lsqnet.h>
#include <stddef.h>

#include "counting_allocator.h"

/* Kinds of arguments; what is tried on each stands beside it. */
enum {
  END = 0,
  OUT,      /* address of a handle: NULL; after a failure it is NULL */
  HANDLE,   /* an object: NULL */
  STRUCT,   /* a struct that begins with its size: NULL, sizes 0, 4 and, of options, a tail that is set; its fields */
  STRUCT_0, /* the same, but NULL is fine */
  REPORTS,  /* written by the call: sizes 0 and 4; NULL is fine */
  INIT,     /* a struct to be filled, followed by SIZE: NULL */
  SIZE,     /* uint32_t: 0, 4 */
  IN,       /* numbers, text or a file to be read: NULL */
  NAME,     /* the same, and a name that nobody has */
  DATA,     /* numbers to be written: NULL; untouched after a failure */
  DATA_0,   /* the same, but NULL is fine */
  COUNT,    /* int64_t: 0, -1, INT64_MAX */
  COUNT_0,  /* int64_t: -1, INT64_MAX */
  INDEX,    /* int64_t: -1, INT64_MAX */
  LENGTH,   /* uint64_t bytes of data: 0 */
  ENUM,     /* int32_t: -1, INT32_MAX */
  NUMBER,   /* double: NaN, infinity */
  FUNCTION, /* NULL */
  ANY       /* whatever it is */
};

/* Of a field, beyond the kinds above. */
enum {
  FIELD_SWITCH = 100, /* int32_t, 0 or 1: -1, 2 */
  FIELD_THREE,        /* int32_t, -1 to 1: -2, 2 */
  FIELD_AT_LEAST_0,   /* int64_t: -1 */
  FIELD_AT_LEAST_1,   /* int64_t: 0, -1 */
  FIELD_NOT_0         /* int64_t: 0 */
};

typedef void (*any_function)(void);

typedef struct {
  int kind;
  const char *name;
  uint32_t offset;
} api_field;

typedef struct {
  int kind;
  const char *name;
  void *address; /* of the struct or data; of the pointer, for HANDLE */
  int64_t number;
  any_function function;
  const api_field *fields;
} api_argument;

typedef union {
  void *p;
  int64_t i;
  double d;
  any_function f;
} api_slot;

enum { API_ARGUMENTS = 14 };

typedef struct {
  const char *name;
  lsqnet_status (*call)(const api_slot *a); /* or: */
  void (*special)(void);                    /* for functions without a status: a test of its own */
  api_argument arguments[API_ARGUMENTS];
} api_entry;

/* api_fields.c; each ends with a field of kind 0 */
extern const api_field context_fields[], model_fields[], step_fields[], batch_fields[], construct_fields[],
    gradient_fields[], load_fields[], solver_fields[], problems_fields[], batch_problems_fields[], state_fields[],
    task_fields[], shape_fields[], train_fields[], mixer_fields[];

extern const api_entry api_entries[];
extern const int api_entry_count;

/* The objects that the calls work on, made anew by api_setup; api_teardown frees them and what calls made. */
enum { API_M = 6, API_N = 2, API_NUMBERS = 256, API_FILE = 1 << 16, API_DATA = 16 };
typedef struct {
  counting_allocator allocator;
  lsqnet_context *context;
  lsqnet_model *model, *narrow, *step_model, *made_model;
  lsqnet_workspace *workspace, *narrow_workspace, *made_workspace;
  lsqnet_solver *solver, *made_solver;
  lsqnet_state *state, *made_state;
  lsqnet_task *task, *made_task;
  lsqnet_trainer *trainer, *made_trainer;
  lsqnet_context *made_context;
  lsqnet_context_options context_options;
  lsqnet_model_options model_options;
  lsqnet_model_step step;
  lsqnet_batch batch;
  lsqnet_construct_options construct;
  lsqnet_load_options load;
  lsqnet_solver_options solver_options;
  lsqnet_state_options state_options;
  lsqnet_problems problems;
  lsqnet_task_options task_options;
  lsqnet_task_shape task_shape;
  lsqnet_train_options train;
  lsqnet_mixer mixer;
  lsqnet_report reports[4];
  lsqnet_progress progress;
  lsqnet_parameter parameter;
  lsqnet_state_info info;
  uint64_t file_bytes;
  char path[64], checkpoint[64];
  char mixer_name[16];
} api_fixture;
extern api_fixture F;
/* Apart from the fixture, so that calls find the same data each time. */
extern double api_in[API_NUMBERS], api_out[API_DATA][API_NUMBERS];
extern float api_in32[API_NUMBERS], api_out32[API_DATA][API_NUMBERS];
extern unsigned char api_file[API_FILE];

void api_setup(void);
void api_teardown(void);

#endif
