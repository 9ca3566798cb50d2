#include "model/parameters.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 256, MIXER_PARAMETERS_MOST = 4096 };

/* A parameter that is about to be listed. */
typedef struct {
  const char *name;      /* below "blocks.I." if it belongs to a block */
  const char *reference; /* below "_backbone.transformer.h.I." then; may be NULL */
  int64_t block;         /* -1: none */
  int32_t frozen;
  int64_t rank;
  int64_t shape[4];
} entry;

/* FNV-1a */
static uint64_t hash(const char *name) {
  uint64_t h = UINT64_C(14695981039346656037);
  for (; *name != '\0'; name++) h = (h ^ (unsigned char)*name) * UINT64_C(1099511628211);
  return h;
}

/* The slot that holds `name`, or the empty one where it belongs. */
static int64_t *find_slot(const lsqnet_model *model, const char *name) {
  const uint64_t mask = (uint64_t)model->slot_count - 1;
  uint64_t at = hash(name) & mask;
  while (model->slots[at] != 0 && strcmp(model->parameters[model->slots[at] - 1].name, name) != 0) at = (at + 1) & mask;
  return &model->slots[at];
}

int64_t lsq_model_find(const lsqnet_model *model, const char *name) { return *find_slot(model, name) - 1; }

static lsqnet_status copy_name(const lsqnet_context *context, const char **out, const char *prefix, int64_t block,
                               const char *name) {
  char text[NAME_BYTES];
  char *copy = NULL;
  const int length = block < 0 ? snprintf(text, sizeof text, "%s", name)
                               : snprintf(text, sizeof text, "%s%lld.%s", prefix, (long long)block, name);
  if (length < 0 || length >= NAME_BYTES)
    return lsq_fail(LSQNET_E_ARGUMENT, "the parameter name %.40s... is longer than %d bytes", name, NAME_BYTES - 1);
  const lsqnet_status st = lsq_copy_text(context, &copy, text);
  *out = copy;
  return st;
}

/* Appends a parameter; there is room. *index, unless NULL, becomes its index. */
static lsqnet_status append(lsqnet_model *model, int64_t *index, const entry *e) {
  lsqnet_status st = LSQNET_OK;
  lsqnet_parameter *p = &model->parameters[model->parameter_count];
  *p = (lsqnet_parameter){.size = sizeof *p, .frozen = e->frozen, .rank = e->rank, .offset = model->weight_count};
  memcpy(p->shape, e->shape, sizeof p->shape);
  model->parameter_count++; /* from here on its names are freed with the list */
  LSQ_TRY(copy_name(model->context, &p->name, "blocks.", e->block, e->name));
  if (e->reference != NULL)
    LSQ_TRY(copy_name(model->context, &p->reference_name, "_backbone.transformer.h.", e->block, e->reference));
  LSQ_TRY(lsq_size_product(&p->count, p->shape, (int)p->rank, p->name));
  if (p->count > LSQ_WEIGHTS_MOST - model->weight_count) {
    st = lsq_fail(LSQNET_E_SHAPE, "%s: its %lld weights after %lld others are more than %lld", p->name,
                  (long long)p->count, (long long)model->weight_count, (long long)LSQ_WEIGHTS_MOST);
    goto done;
  }
  model->weight_count += p->count;
  int64_t *slot = find_slot(model, p->name);
  if (*slot != 0) {
    st = lsq_fail(LSQNET_E_ARGUMENT, "mixer %s: two parameters are called %s", model->mixer->name, p->name);
    goto done;
  }
  *slot = model->parameter_count;
  if (index != NULL) *index = model->parameter_count - 1;
done:
  return st;
}

static lsqnet_status append_matrix(lsqnet_model *model, int64_t *index, int64_t block, const char *name,
                                   const char *reference, int32_t frozen, int64_t out, int64_t in) {
  const entry e = {name, reference, block, frozen, 2, {out, in}};
  return append(model, index, &e);
}

/* Appends a vector if the model has it. */
static lsqnet_status append_vector(lsqnet_model *model, int64_t *index, int64_t block, const char *name,
                                   const char *reference, int32_t frozen, int64_t size, int present) {
  const entry e = {name, reference, block, frozen, 1, {size}};
  return present ? append(model, index, &e) : LSQNET_OK;
}

static lsqnet_status check_name(const char *name) {
  static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
  if (name == NULL || *name == '\0') return lsq_fail(LSQNET_E_ARGUMENT, "it has no name");
  if (name[strspn(name, allowed)] != '\0')
    return lsq_fail(LSQNET_E_ARGUMENT, "its name has a character other than A-Z a-z 0-9 _ .");
  return LSQNET_OK;
}

/* What a mixer says of a parameter, checked: a host's table may say anything. */
static lsqnet_status ask_mixer(const lsqnet_model *model, const lsq_block *block, int64_t index,
                               lsqnet_mixer_parameter *out) {
  lsqnet_status st = LSQNET_OK;
  const uint64_t before = lsq_message_number();
  *out = (lsqnet_mixer_parameter){.size = sizeof *out};
  LSQ_TRY(lsq_called_back(model->mixer->parameter(block->mixer_state, index, out), before));
  LSQ_TRY(check_name(out->name));
  if (out->rank < 1 || out->rank > 4)
    return lsq_fail(LSQNET_E_ARGUMENT, "rank=%lld: must be 1 to 4", (long long)out->rank);
  for (int64_t k = 0; k < out->rank; k++)
    if (out->shape[k] < 1)
      return lsq_fail(LSQNET_E_ARGUMENT, "shape[%lld]=%lld: must be at least 1", (long long)k,
                      (long long)out->shape[k]);
  if (out->frozen != 0 && out->frozen != 1)
    return lsq_fail(LSQNET_E_ARGUMENT, "frozen=%ld: must be 0 or 1", (long)out->frozen);
done:
  return st;
}

static lsqnet_status list_mixer(lsqnet_model *model, lsq_block *block, int64_t number) {
  lsqnet_status st = LSQNET_OK;
  block->mixer = model->parameter_count;
  for (int64_t i = 0; i < block->mixer_count; i++) {
    char name[NAME_BYTES], reference[NAME_BYTES];
    lsqnet_mixer_parameter p;
    LSQ_TRY(lsq_within(ask_mixer(model, block, i, &p), "mixer %s, parameter %lld", model->mixer->name, (long long)i));
    /* what is cut here is too long for append, which says so */
    (void)snprintf(name, sizeof name, "mixer.%s", p.name);
    if (p.reference_name != NULL) (void)snprintf(reference, sizeof reference, "seq_mixer.%s", p.reference_name);
    entry e = {name, p.reference_name != NULL ? reference : NULL, number, p.frozen, p.rank, {0}};
    memcpy(e.shape, p.shape, (size_t)p.rank * sizeof p.shape[0]);
    LSQ_TRY(append(model, NULL, &e));
  }
done:
  return st;
}

static lsqnet_status list_mlp(lsqnet_model *model, lsq_block *block, int64_t number) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model_options *o = &model->options;
  const int64_t D = o->width;
  const int64_t sizes[] = {D, o->mlp_factor};
  int64_t H = 0;
  LSQ_TRY(lsq_size_product(&H, sizes, 2, "width x mlp_factor"));
  LSQ_TRY(append_matrix(model, &block->up_weight, number, "mlp.up.weight", "mlp.c_fc.weight", 0, H, D));
  LSQ_TRY(append_vector(model, &block->up_bias, number, "mlp.up.bias", "mlp.c_fc.bias", 0, H, o->bias));
  if (o->mlp == LSQNET_MLP_GLU) {
    LSQ_TRY(append_matrix(model, &block->gate_weight, number, "mlp.gate.weight", "mlp.activ.proj1.weight", 0, H, H));
    LSQ_TRY(append_matrix(model, &block->value_weight, number, "mlp.value.weight", "mlp.activ.proj2.weight", 0, H, H));
  }
  LSQ_TRY(append_matrix(model, &block->down_weight, number, "mlp.down.weight", "mlp.c_proj.weight", 0, D, H));
  LSQ_TRY(append_vector(model, &block->down_bias, number, "mlp.down.bias", "mlp.c_proj.bias", 0, D, o->bias));
done:
  return st;
}

static lsqnet_status list_block(lsqnet_model *model, int64_t number) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model_options *o = &model->options;
  lsq_block *b = &model->blocks[number];
  const int64_t D = o->width;
  const int norm_1 = o->mixer_norm, norm_2 = o->mlp_norm && o->mlp != LSQNET_MLP_NONE;
  LSQ_TRY(append_vector(model, &b->norm_1_weight, number, "norm_1.weight", "ln_1.weight", 0, D, norm_1));
  LSQ_TRY(append_vector(model, &b->norm_1_bias, number, "norm_1.bias", "ln_1.bias", 0, D, norm_1 && o->bias));
  LSQ_TRY(list_mixer(model, b, number));
  LSQ_TRY(append_vector(model, &b->norm_2_weight, number, "norm_2.weight", "ln_2.weight", 0, D, norm_2));
  LSQ_TRY(append_vector(model, &b->norm_2_bias, number, "norm_2.bias", "ln_2.bias", 0, D, norm_2 && o->bias));
  if (o->mlp != LSQNET_MLP_NONE) LSQ_TRY(list_mlp(model, b, number));
done:
  return st;
}

static lsqnet_status list_ends_and_blocks(lsqnet_model *model) {
  lsqnet_status st = LSQNET_OK;
  const lsqnet_model_options *o = &model->options;
  const int64_t D = o->width;
  const int32_t fixed = o->freeze_projections;
  LSQ_TRY(append_matrix(model, &model->read_in_weight, -1, "read_in.weight", "_read_in.weight", fixed, D, o->in_width));
  LSQ_TRY(append_vector(model, &model->read_in_bias, -1, "read_in.bias", "_read_in.bias", fixed, D, 1));
  LSQ_TRY(append_matrix(model, &model->positions, -1, "positions.weight", "_backbone.transformer.wpe.weight",
                        o->freeze_positions, o->rows, D));
  for (int64_t i = 0; i < o->layers; i++) LSQ_TRY(list_block(model, i));
  LSQ_TRY(append_vector(model, &model->final_norm_weight, -1, "final_norm.weight", "_backbone.transformer.ln_f.weight",
                        0, D, o->final_norm));
  LSQ_TRY(append_vector(model, &model->final_norm_bias, -1, "final_norm.bias", "_backbone.transformer.ln_f.bias", 0, D,
                        o->final_norm && o->bias));
  LSQ_TRY(
      append_matrix(model, &model->read_out_weight, -1, "read_out.weight", "_read_out.weight", fixed, o->out_width, D));
  LSQ_TRY(append_vector(model, &model->read_out_bias, -1, "read_out.bias", "_read_out.bias", fixed, o->out_width, 1));
done:
  return st;
}

/* Most parameters that the list can have, and no part present yet. */
static lsqnet_status clear_indices(lsqnet_model *model, int64_t *most) {
  *most = 7;
  model->read_in_weight = model->read_in_bias = model->positions = -1;
  model->final_norm_weight = model->final_norm_bias = model->read_out_weight = model->read_out_bias = -1;
  for (int64_t i = 0; i < model->options.layers; i++) {
    lsq_block *b = &model->blocks[i];
    b->norm_1_weight = b->norm_1_bias = b->norm_2_weight = b->norm_2_bias = -1;
    b->up_weight = b->up_bias = b->gate_weight = b->value_weight = b->down_weight = b->down_bias = -1;
    b->mixer_count = model->mixer->parameter_count(b->mixer_state);
    if (b->mixer_count < 0 || b->mixer_count > MIXER_PARAMETERS_MOST)
      return lsq_fail(LSQNET_E_ARGUMENT, "mixer %s: parameter_count=%lld: must be 0 to %d", model->mixer->name,
                      (long long)b->mixer_count, MIXER_PARAMETERS_MOST);
    *most += 10 + b->mixer_count;
  }
  return LSQNET_OK;
}

lsqnet_status lsq_model_list_parameters(lsqnet_model *model) {
  lsqnet_status st = LSQNET_OK;
  int64_t most = 0, slots = 16;
  LSQ_TRY(clear_indices(model, &most));
  while (slots < 2 * most) slots *= 2;
  LSQ_TRY(lsq_alloc(model->context, &model->parameters, most, sizeof *model->parameters));
  LSQ_TRY(lsq_alloc(model->context, &model->slots, slots, sizeof *model->slots));
  model->slot_count = slots;
  LSQ_TRY(list_ends_and_blocks(model));
done:
  return st;
}

void lsq_model_free_parameters(lsqnet_model *model) {
  for (int64_t i = 0; i < model->parameter_count; i++) {
    lsq_free(model->context, (void *)model->parameters[i].name);
    lsq_free(model->context, (void *)model->parameters[i].reference_name);
  }
  lsq_free(model->context, model->parameters);
  lsq_free(model->context, model->slots);
}
