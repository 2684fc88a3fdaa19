#include "cli/commands.h"
int cmd_pinning(int argc, char **argv) { (void)argc; (void)argv; return 1; }
