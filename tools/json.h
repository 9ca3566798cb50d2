/* Values for JSON output that jansson would refuse. */
#ifndef TOOLS_JSON_H
#define TOOLS_JSON_H

#include <jansson.h>

/* A number, or null if it is not finite. */
json_t *json_number(double value);

/* A string; what is not UTF-8 in it becomes question marks. */
json_t *json_text(const char *text);

/* Appends to *array, which becomes NULL when memory runs out, so that nothing is left out in silence. */
void json_append(json_t **array, json_t *value);

/* The same for a key of *object. */
void json_put(json_t **object, const char *key, json_t *value);

/* Prints one object on a line of its own and gives up the reference; NULL says that memory ran out while it was made.
 */
int json_print(json_t *object);

#endif
