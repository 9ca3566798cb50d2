#include <math.h>
#include <string.h>

#include "store/model_file.h"

/* A file on its way to becoming a model. */
typedef struct {
  lsqnet_context *context;
  lsq_archive archive;
  const lsqnet_load_options *given;
  int own; /* 0: the reference implementation's names */
  lsq_description description;
  lsqnet_model *model;
  const lsq_array **arrays; /* (parameter_count) */
} loading;

/* What it is. */

/* Texts in the file break its format where the same from a caller would be a wrong argument. */
static lsqnet_status from_file(lsqnet_status st) { return st == LSQNET_E_ARGUMENT ? LSQNET_E_FORMAT : st; }
static lsqnet_status from_caller(lsqnet_status st) { return st == LSQNET_E_FORMAT ? LSQNET_E_ARGUMENT : st; }

static lsqnet_status describe_own(loading *l) {
  char quoted[LSQ_QUOTED];
  const char *config = lsq_archive_text(&l->archive, "config");
  const char *version = lsq_archive_text(&l->archive, "lsqnet.version");
  if (version == NULL || config == NULL)
    return lsq_fail(LSQNET_E_FORMAT, "its __metadata__ has no \"%s\"", version == NULL ? "lsqnet.version" : "config");
  if (strcmp(version, LSQ_FORMAT_VERSION) != 0)
    return lsq_fail(LSQNET_E_UNSUPPORTED, "lsqnet.version is \"%s\": this library reads version %s",
                    lsq_quote(quoted, version), LSQ_FORMAT_VERSION);
  if (l->given->config != NULL)
    return lsq_fail(LSQNET_E_ARGUMENT, "the load options give a reference configuration, but the file is of format %s",
                    LSQ_FORMAT);
  return from_file(lsq_describe_own(&l->description, l->context, config));
}

static lsqnet_status check_same(const char *in_file, const char *given) {
  lsqnet_status st = LSQNET_OK;
  json_t *ours = NULL, *theirs = NULL;
  LSQ_TRY(lsq_parse_object(&theirs, "config", in_file));
  LSQ_TRY(from_caller(lsq_parse_object(&ours, "config in the load options", given)));
  if (!json_equal(ours, theirs))
    st = lsq_fail(LSQNET_E_ARGUMENT, "the file's config and the one in the load options differ");
done:
  json_decref(ours);
  json_decref(theirs);
  return st;
}

static lsqnet_status describe_reference(loading *l) {
  lsqnet_status st = LSQNET_OK;
  const char *config = lsq_archive_text(&l->archive, "config"), *given = l->given->config;
  if (config == NULL && given == NULL)
    return lsq_fail(
        LSQNET_E_FORMAT,
        "its __metadata__ has neither \"format\": \"%s\" nor a \"config\": give the reference's configuration "
        "as lsqnet_load_options.config, a JSON text such as {\"n_dims\":5,\"n_positions\":21,...}",
        LSQ_FORMAT);
  if (config != NULL && given != NULL) LSQ_TRY(check_same(config, given));
  if (config != NULL)
    st = from_file(lsq_describe_reference(&l->description, l->context, config));
  else
    st = lsq_within(from_caller(lsq_describe_reference(&l->description, l->context, given)), "load options");
done:
  return st;
}

static lsqnet_status describe(loading *l) {
  const char *format = lsq_archive_text(&l->archive, "format");
  l->own = format != NULL && strcmp(format, LSQ_FORMAT) == 0;
  return l->own ? describe_own(l) : describe_reference(l);
}

/* Which arrays it has. */

/* A state dict of the reference's attention holds its mask beside the weights: h.I.seq_mixer.bias. */
static int is_mask(const loading *l, const lsq_array *array) {
  static const char prefix[] = "_backbone.transformer.h.", suffix[] = ".seq_mixer.bias";
  if (l->own || strncmp(array->name, prefix, sizeof prefix - 1) != 0) return 0;
  const char *number = array->name + sizeof prefix - 1;
  const size_t digits = strspn(number, "0123456789");
  return digits > 0 && strcmp(number + digits, suffix) == 0;
}

static lsqnet_status find_dtype(loading *l) {
  char quoted[LSQ_QUOTED];
  int32_t dtype = l->own ? l->description.options.dtype : 0;
  for (int64_t i = 0; i < l->archive.count; i++) {
    const lsq_array *array = &l->archive.arrays[i];
    if (is_mask(l, array)) continue;
    const int32_t its = lsq_array_dtype(array);
    if (its == 0)
      return lsq_fail(LSQNET_E_UNSUPPORTED, "tensor \"%s\" is %s: weights are F32 or F64",
                      lsq_quote(quoted, array->name), array->dtype);
    if (dtype != 0 && its != dtype)
      return lsq_fail(LSQNET_E_FORMAT, "tensor \"%s\" is %s, but %s F%s", lsq_quote(quoted, array->name), array->dtype,
                      l->own ? "config says" : "others are", dtype == LSQNET_F64 ? "64" : "32");
    dtype = its;
  }
  if (dtype == 0) return lsq_fail(LSQNET_E_FORMAT, "it holds no weights");
  l->description.options.dtype = dtype;
  return LSQNET_OK;
}

static int64_t count_in_blocks(const lsqnet_model *model) {
  int64_t count = 0;
  for (int64_t i = 0; i < model->parameter_count; i++)
    count += strncmp(model->parameters[i].name, "blocks.", sizeof "blocks." - 1) == 0;
  return count;
}

/* A short file must not make us list the parameters of 65,536 blocks; blocks without any are no trouble. The slack lets
 * a file that misses a few tensors come to the check that names them. */
static lsqnet_status check_layers(const loading *l) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model *single = NULL;
  lsqnet_model_options options = l->description.options;
  if (options.layers <= 2 * l->archive.count + 16) return LSQNET_OK;
  options.layers = 1;
  LSQ_TRY(from_file(lsq_model_create_structure(&single, l->context, &options)));
  if (count_in_blocks(single) > 0)
    st = lsq_fail(LSQNET_E_FORMAT, "config: %lld layers, but the file holds %lld tensors in all",
                  (long long)l->description.options.layers, (long long)l->archive.count);
done:
  lsqnet_model_destroy(single);
  return st;
}

static lsqnet_status match_parameter(loading *l, int64_t index) {
  char quoted[LSQ_QUOTED], wanted[LSQ_QUOTED], found[LSQ_QUOTED];
  const lsqnet_parameter *p = &l->model->parameters[index];
  const char *name = l->own ? p->name : p->reference_name;
  if (name == NULL) return lsq_fail(LSQNET_E_UNSUPPORTED, "parameter %s has no name in the reference's files", p->name);
  const lsq_array *array = lsq_archive_find(&l->archive, name);
  lsq_shape_text(wanted, p->rank, p->shape);
  if (array == NULL)
    return lsq_fail(LSQNET_E_FORMAT, "tensor \"%s\" of shape %s is missing", lsq_quote(quoted, name), wanted);
  if (array->rank != p->rank || memcmp(array->shape, p->shape, (size_t)p->rank * sizeof p->shape[0]) != 0)
    return lsq_fail(LSQNET_E_SHAPE, "tensor \"%s\" has shape %s, but its configuration makes it %s",
                    lsq_quote(quoted, name), lsq_shape_text(found, array->rank, array->shape), wanted);
  l->arrays[index] = array;
  return LSQNET_OK;
}

static lsqnet_status refuse_left_over(const loading *l) {
  lsqnet_status st = LSQNET_OK;
  char quoted[LSQ_QUOTED];
  unsigned char *used = NULL;
  LSQ_TRY(lsq_alloc(l->context, &used, l->archive.count, 1));
  for (int64_t i = 0; i < l->model->parameter_count; i++) used[l->arrays[i] - l->archive.arrays] = 1;
  for (int64_t i = 0; i < l->archive.count; i++) {
    const lsq_array *array = &l->archive.arrays[i];
    if (used[i] || is_mask(l, array)) continue;
    st = lsq_fail(LSQNET_E_FORMAT, "tensor \"%s\" is none that its configuration has", lsq_quote(quoted, array->name));
    break;
  }
done:
  lsq_free(l->context, used);
  return st;
}

/* Each parameter has its array and each array its parameter before memory is taken for weights. */
static lsqnet_status match(loading *l) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(from_file(lsq_model_create_structure(&l->model, l->context, &l->description.options)));
  LSQ_TRY(lsq_alloc(l->context, &l->arrays, l->model->parameter_count, sizeof *l->arrays));
  for (int64_t i = 0; i < l->model->parameter_count; i++) LSQ_TRY(match_parameter(l, i));
  LSQ_TRY(refuse_left_over(l));
done:
  return st;
}

/* Its weights. */

static lsqnet_status check_finite(const lsq_array *array, const lsqnet_model *model, int64_t offset) {
  char quoted[LSQ_QUOTED];
  for (int64_t i = 0; i < array->count; i++) {
    const double value = model->weights_f64 != NULL ? model->weights_f64[offset + i] : model->weights_f32[offset + i];
    if (!isfinite(value))
      return lsq_fail(LSQNET_E_NOT_FINITE, "tensor \"%s\": element %lld is %s", lsq_quote(quoted, array->name),
                      (long long)i, isnan(value) ? "NaN" : "infinite");
  }
  return LSQNET_OK;
}

static lsqnet_status read_weights(loading *l) {
  lsqnet_status st = LSQNET_OK;
  LSQ_TRY(lsq_model_create_weights(l->model));
  for (int64_t i = 0; i < l->model->parameter_count; i++) {
    const int64_t offset = l->model->parameters[i].offset;
    if (l->model->weights_f64 != NULL) lsq_array_read_f64(l->arrays[i], l->model->weights_f64 + offset);
    if (l->model->weights_f32 != NULL) lsq_array_read_f32(l->arrays[i], l->model->weights_f32 + offset);
    LSQ_TRY(check_finite(l->arrays[i], l->model, offset));
  }
done:
  return st;
}

static lsqnet_status freeze(loading *l) {
  lsqnet_status st = LSQNET_OK;
  size_t entry = 0;
  const json_t *name = NULL;
  if (l->description.frozen == NULL) return LSQNET_OK;
  for (int64_t i = 0; i < l->model->parameter_count; i++) LSQ_TRY(lsqnet_model_freeze(l->model, i, 0));
  json_array_foreach(l->description.frozen, entry, name) {
    char quoted[LSQ_QUOTED];
    const int64_t index = lsq_model_find(l->model, json_string_value(name));
    if (index < 0)
      return lsq_fail(LSQNET_E_FORMAT, "config: \"frozen\": there is no parameter \"%s\"",
                      lsq_quote(quoted, json_string_value(name)));
    LSQ_TRY(lsqnet_model_freeze(l->model, index, 1));
  }
done:
  return st;
}

static lsqnet_status set_step(loading *l) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_model_step step;
  const lsqnet_load_options *g = l->given;
  const int given =
      g->output != 0 || g->rows != 0 || g->dim != 0 || g->iterates != 0 || g->step != 0 || g->prompt != NULL;
  LSQ_TRY(lsq_step_read(&step, &l->archive, g));
  st = lsq_within(lsqnet_model_set_step(l->model, &step), "the step it takes");
  if (!given) st = from_file(st);
done:
  return st;
}

lsqnet_status lsq_model_from_bytes(lsqnet_model **out, lsqnet_context *context, const void *bytes, uint64_t size,
                                   const lsqnet_load_options *given) {
  lsqnet_status st = LSQNET_OK;
  loading l = {
      .context = context, .given = given, .archive = {.context = context}, .description = {.context = context}};
  *out = NULL;
  LSQ_TRY(lsq_archive_open(&l.archive, context, bytes, size));
  LSQ_TRY(describe(&l));
  LSQ_TRY(find_dtype(&l));
  LSQ_TRY(check_layers(&l));
  LSQ_TRY(match(&l));
  LSQ_TRY(read_weights(&l));
  LSQ_TRY(freeze(&l));
  LSQ_TRY(set_step(&l));
  *out = l.model;
  l.model = NULL;
done:
  lsqnet_model_destroy(l.model);
  lsq_free(context, l.arrays);
  lsq_description_clear(&l.description);
  lsq_archive_close(&l.archive);
  return st;
}
