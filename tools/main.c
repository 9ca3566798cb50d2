/* The command `lsqnet`. */
#include <lsqnet/lsqnet.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "error.h"
#include "output.h"

static const struct {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *about;
} subcommands[] = {
    {"solve", solve_command, "solve a least-squares problem from a file"},
    {"info", info_command, "describe a model file"},
    {"run", run_command, "pass an array through a model"},
    {"train", train_command, "train a model"},
    {"eval", eval_command, "measure a model on its task, in distribution and beyond it"},
    {"export", export_command, "write a model as one C file without dependencies"},
    {"plot", plot_command, "draw training curves"},
    {"reproduce", reproduce_command, "repeat an experiment of the paper: table, pictures, verdict"},
};

enum { SUBCOMMANDS = sizeof subcommands / sizeof *subcommands };

static int find_subcommand(const char *name) {
  for (int i = 0; i < SUBCOMMANDS; i++) {
    if (strcmp(name, subcommands[i].name) == 0) return i;
  }
  return -1;
}

static int fail_unknown(const char *name) {
  return fail(CODE_USAGE, "unknown command \"%.80s\": \"lsqnet help\" lists them all", name);
}

static int print_help(void) {
  printf(
      "Usage: lsqnet COMMAND [options]\n\nSequence models that solve least-squares problems to machine precision.\n\n");
  for (int i = 0; i < SUBCOMMANDS; i++) printf("  %-9s %s\n", subcommands[i].name, subcommands[i].about);
  printf("  %-9s %s\n\n", "help", "print this, or with the name of a command its options");
  printf(
      "Exit codes: 0 done; 1 anything else; 2 usage; 3 bad input; 4 not converged (the best answer is printed);\n"
      "5 rank deficient, or fewer rows than unknowns.\n");
  return CODE_DONE;
}

static int help(int argc, char **argv) {
  char *arguments[] = {NULL, "--help", NULL};
  if (argc < 3) return print_help();
  int which = find_subcommand(argv[2]);
  if (which < 0) return fail_unknown(argv[2]);
  arguments[0] = argv[2];
  return subcommands[which].run(2, arguments);
}

static int dispatch(int argc, char **argv) {
  if (argc < 2) return fail(CODE_USAGE, "no command: \"lsqnet help\" lists them all");
  if (strcmp(argv[1], "--version") == 0) {
    printf("lsqnet %s\n", lsqnet_version());
    return CODE_DONE;
  }
  if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
    return help(argc, argv);
  }
  int which = find_subcommand(argv[1]);
  return which < 0 ? fail_unknown(argv[1]) : subcommands[which].run(argc - 1, argv + 1);
}

int main(int argc, char **argv) {
  int code = dispatch(argc, argv);
  return code == CODE_DONE ? output_flush_standard() : code;
}
