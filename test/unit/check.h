/*
 * check.h
 *	  What every unit test uses to say that something is wrong.  Plain C, no
 *	  server header.
 *
 * A failed check prints one line and the test goes on; check_done() at the
 * end of main() prints the counts and gives the exit code.
 */
#ifndef ELAC_CHECK_H
#define ELAC_CHECK_H

extern void check_one(int good, const char *file, int line, const char *what);
extern void check_equal(long long got, long long wanted, const char *file, int line, const char *what);
extern int	check_done(void);
extern long check_failures(void);

#define CHECK(...) check_one(!!(__VA_ARGS__), __FILE__, __LINE__, #__VA_ARGS__)

/* Integers; prints both. */
#define CHECK_EQ(got, wanted) \
	check_equal((long long) (got), (long long) (wanted), __FILE__, __LINE__, #got)

#endif							/* ELAC_CHECK_H */
