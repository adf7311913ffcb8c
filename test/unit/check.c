/*
 * check.c
 *	  Counts checks and prints those that fail.
 */
#include "check.h"

#include <stdio.h>

/* After this many lines more failures are only counted. */
#define CHECK_LINES_MAX 50

static long checks_made = 0;
static long checks_failed = 0;

static int
check_count(int good)
{
	checks_made++;
	if (good)
		return 0;
	checks_failed++;
	return checks_failed <= CHECK_LINES_MAX;
}

void
check_one(int good, const char *file, int line, const char *what)
{
	if (check_count(good))
		printf("# %s:%d: failed: %s\n", file, line, what);
}

void
check_equal(long long got, long long wanted, const char *file, int line, const char *what)
{
	if (check_count(got == wanted))
		printf("# %s:%d: failed: %s is %lld, not %lld\n", file, line, what, got, wanted);
}

long
check_failures(void)
{
	return checks_failed;
}

int
check_done(void)
{
	printf("# %ld checks, %ld failed\n", checks_made, checks_failed);
	fflush(stdout);
	return checks_failed > 0 || checks_made == 0;
}
