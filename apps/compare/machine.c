/* What a measurement was made on. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "compare/compare.h"

/* The value of the first line "KEY<blanks><separator> VALUE" of a small system file, into text. */
static int find_line(const char *path, const char *key, char separator, char *text, size_t size) {
  char line[512];
  int found = 0;
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  while (!found && fgets(line, sizeof line, file)) {
    char *value = strchr(line, separator);
    if (strncmp(line, key, strlen(key)) != 0 || !value) continue;
    value += 1 + strspn(value + 1, " \t\"");
    value[strcspn(value, "\"\n")] = '\0';
    snprintf(text, size, "%s", value);
    found = *value != '\0';
  }
  (void)fclose(file);
  return found;
}

void bt_machine(BtMachine *machine) {
  char kilobytes[64], name[128];
  struct utsname system;
  const int known = uname(&system) == 0;
  memset(machine, 0, sizeof *machine);
  if (gethostname(machine->host, sizeof machine->host - 1) != 0)
    snprintf(machine->host, sizeof machine->host, "unknown");
  if (!find_line("/proc/cpuinfo", "model name", ':', machine->cpu, sizeof machine->cpu))
    snprintf(machine->cpu, sizeof machine->cpu, "%s", known ? system.machine : "unknown");
  machine->cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
  double bytes = 0;
  if (find_line("/proc/meminfo", "MemTotal", ':', kilobytes, sizeof kilobytes) &&
      sscanf(kilobytes, "%lf", &bytes) == 1)
    snprintf(machine->memory, sizeof machine->memory, "%.1f GiB", bytes / 1048576);
  else
    snprintf(machine->memory, sizeof machine->memory, "unknown");
  const int named = find_line("/etc/os-release", "PRETTY_NAME", '=', name, sizeof name);
  if (known)
    snprintf(machine->system, sizeof machine->system, "%s%s%.60s %.60s", named ? name : "", named ? ", " : "",
             system.sysname, system.release);
  else
    snprintf(machine->system, sizeof machine->system, "%s", named ? name : "unknown");
}
