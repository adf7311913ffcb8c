/*
 * kernels_assign_impl.h
 *	  Scores of many vectors against many centroids, written once with the
 *	  compiler's vector types and compiled for each instruction set.  Private to
 *	  base; included once by each implementation, which defines
 *
 *		ASSIGN_NAME(x)	a name of its own for x
 *		ASSIGN_TARGET	the target attribute, may be empty
 *		ASSIGN_LANES	floats in a register: 4, 8 or 16
 *		ASSIGN_PANELS	panels of 16 centroids beside each other: 1 or 2
 *		ASSIGN_ROWS		rows beside each other
 *
 * Component d of 16 centroids lies side by side: it is loaded once and used for
 * ASSIGN_ROWS rows, whose component is spread over all lanes.  Sums stay in
 * registers and no sum across lanes is needed.  Centroids are taken in tiles
 * that stay in the second-level cache while all rows pass over them.
 */
#include <math.h>
#include <string.h>

/* aligned(4): packed panels come from any allocator */
typedef float ASSIGN_NAME(assign_floats) __attribute__((vector_size(ASSIGN_LANES * 4), aligned(4)));
typedef int32_t ASSIGN_NAME(assign_ints) __attribute__((vector_size(ASSIGN_LANES * 4), aligned(4)));

#define ASSIGN_FLOATS ASSIGN_NAME(assign_floats)
#define ASSIGN_INTS ASSIGN_NAME(assign_ints)

/* Registers that a panel's component fills, and all panels beside each other. */
#define ASSIGN_PER_PANEL (ELAC_ASSIGN_PANEL / ASSIGN_LANES)
#define ASSIGN_VECTORS (ASSIGN_PANELS * ASSIGN_PER_PANEL)

/* Rows beside one tile of registers: pointers, the last repeated when there are fewer. */
typedef struct ASSIGN_NAME(assign_rows)
{
	const float *x[ASSIGN_ROWS];
} ASSIGN_NAME(assign_rows);

static inline ASSIGN_TARGET void
ASSIGN_NAME(assign_load_rows) (ASSIGN_NAME(assign_rows) *out, const float *const *rows, size_t nrows)
{
	for (size_t r = 0; r < ASSIGN_ROWS; r++)
		out->x[r] = rows[r < nrows ? r : nrows - 1];
}

/* score[r * ASSIGN_VECTORS + v] of ASSIGN_PANELS panels; last may be first. */
static inline ASSIGN_TARGET __attribute__((always_inline)) void
ASSIGN_NAME(assign_tile) (const ASSIGN_NAME(assign_rows) *rows, const float *first, const float *last, size_t dim,
						  ASSIGN_FLOATS *score)
{
	ASSIGN_FLOATS sum[ASSIGN_ROWS * ASSIGN_VECTORS];
	const float *panels[2] = {first, last};

#pragma GCC unroll 8
	for (size_t r = 0; r < ASSIGN_ROWS; r++)
	{
#pragma GCC unroll 4
		for (size_t v = 0; v < ASSIGN_VECTORS; v++)
			sum[r * ASSIGN_VECTORS + v] =
				((const ASSIGN_FLOATS *) panels[v / ASSIGN_PER_PANEL])[v % ASSIGN_PER_PANEL];
	}
	for (size_t d = 0; d < dim; d++)
	{
		ASSIGN_FLOATS c[ASSIGN_VECTORS];

#pragma GCC unroll 4
		for (size_t v = 0; v < ASSIGN_VECTORS; v++)
			c[v] = ((const ASSIGN_FLOATS *) (panels[v / ASSIGN_PER_PANEL] + (d + 1) * ELAC_ASSIGN_PANEL))[v % ASSIGN_PER_PANEL];
#pragma GCC unroll 8
		for (size_t r = 0; r < ASSIGN_ROWS; r++)
		{
			float		x = rows->x[r][d];

#pragma GCC unroll 4
			for (size_t v = 0; v < ASSIGN_VECTORS; v++)
				sum[r * ASSIGN_VECTORS + v] -= x * c[v];
		}
	}
#pragma GCC unroll 16
	for (size_t i = 0; i < ASSIGN_ROWS * ASSIGN_VECTORS; i++)
		score[i] = sum[i];
}

static ASSIGN_TARGET void
ASSIGN_NAME(score_block) (const float *const *rows, size_t nrows, const float *packed, size_t ncentroids, size_t dim,
						  float *scores)
{
	size_t		npanels = ELAC_ASSIGN_STRIDE(ncentroids) / ELAC_ASSIGN_PANEL;
	size_t		panel_floats = (dim + 1) * ELAC_ASSIGN_PANEL;
	size_t		stride = ELAC_ASSIGN_STRIDE(ncentroids);

	for (size_t row = 0; row < nrows; row += ASSIGN_ROWS)
	{
		ASSIGN_NAME(assign_rows) some;

		ASSIGN_NAME(assign_load_rows) (&some, rows + row, nrows - row);
		for (size_t p = 0; p < npanels; p += ASSIGN_PANELS)
		{
			ASSIGN_FLOATS score[ASSIGN_ROWS * ASSIGN_VECTORS];
			size_t		np = npanels - p < ASSIGN_PANELS ? npanels - p : ASSIGN_PANELS;

			ASSIGN_NAME(assign_tile) (&some, packed + p * panel_floats, packed + (p + np - 1) * panel_floats, dim, score);
			for (size_t r = 0; r < ASSIGN_ROWS && row + r < nrows; r++)
				for (size_t i = 0; i < np; i++)
					memcpy(scores + (row + r) * stride + (p + i) * ELAC_ASSIGN_PANEL, &score[r * ASSIGN_VECTORS + i * ASSIGN_PER_PANEL],
						   ELAC_ASSIGN_PANEL * sizeof(float));
		}
	}
}

/* The best of a row so far, lane by lane of a panel. */
typedef struct ASSIGN_NAME(assign_best)
{
	ASSIGN_FLOATS score[ASSIGN_PER_PANEL];
	ASSIGN_INTS panel[ASSIGN_PER_PANEL];
} ASSIGN_NAME(assign_best);

static inline ASSIGN_TARGET __attribute__((always_inline)) void
ASSIGN_NAME(assign_update) (ASSIGN_NAME(assign_best) *best, const ASSIGN_FLOATS *score, int32_t panel)
{
#pragma GCC unroll 4
	for (size_t v = 0; v < ASSIGN_PER_PANEL; v++)
	{
		ASSIGN_INTS better = (ASSIGN_INTS) (score[v] < best->score[v]); /* false for NaN */

		best->score[v] = (ASSIGN_FLOATS) (((ASSIGN_INTS) score[v] & better) | ((ASSIGN_INTS) best->score[v] & ~better));
		best->panel[v] = (panel & better) | (best->panel[v] & ~better);
	}
}

/* The best lane; of equal scores the lowest centroid. */
static inline ASSIGN_TARGET void
ASSIGN_NAME(assign_settle) (const ASSIGN_NAME(assign_best) *best, uint32_t *nearest, float *score)
{
	for (size_t lane = 0; lane < ELAC_ASSIGN_PANEL; lane++)
	{
		float		s = best->score[lane / ASSIGN_LANES][lane % ASSIGN_LANES];
		uint32_t	panel = (uint32_t) best->panel[lane / ASSIGN_LANES][lane % ASSIGN_LANES];
		uint32_t	centroid = panel * ELAC_ASSIGN_PANEL + (uint32_t) lane;

		if (s < *score || (s == *score && centroid < *nearest))
		{
			*score = s;
			*nearest = centroid;
		}
	}
}

static ASSIGN_TARGET void
ASSIGN_NAME(assign_block) (const float *const *rows, size_t nrows, const float *packed, size_t ncentroids, size_t dim,
						   uint32_t *nearest, float *scores)
{
	size_t		npanels = ELAC_ASSIGN_STRIDE(ncentroids) / ELAC_ASSIGN_PANEL;
	size_t		panel_floats = (dim + 1) * ELAC_ASSIGN_PANEL;
	size_t		tile = ELAC_ASSIGN_TILE_FLOATS / panel_floats / ASSIGN_PANELS * ASSIGN_PANELS;

	if (tile == 0)
		tile = ASSIGN_PANELS;
	for (size_t row = 0; row < nrows; row++)
	{
		nearest[row] = 0;
		scores[row] = INFINITY;
	}
	for (size_t start = 0; start < npanels; start += tile)
	{
		size_t		stop = npanels - start < tile ? npanels : start + tile;

		for (size_t row = 0; row < nrows; row += ASSIGN_ROWS)
		{
			ASSIGN_NAME(assign_rows) some;
			ASSIGN_NAME(assign_best) best[ASSIGN_ROWS];

			ASSIGN_NAME(assign_load_rows) (&some, rows + row, nrows - row);
			for (size_t r = 0; r < ASSIGN_ROWS; r++)
			{
				for (size_t v = 0; v < ASSIGN_PER_PANEL; v++)
				{
					best[r].score[v] = (ASSIGN_FLOATS) {0} + INFINITY;
					best[r].panel[v] = (ASSIGN_INTS) {0};
				}
			}
			for (size_t p = start; p < stop; p += ASSIGN_PANELS)
			{
				ASSIGN_FLOATS score[ASSIGN_ROWS * ASSIGN_VECTORS];
				size_t		np = stop - p < ASSIGN_PANELS ? stop - p : ASSIGN_PANELS;

				ASSIGN_NAME(assign_tile) (&some, packed + p * panel_floats, packed + (p + np - 1) * panel_floats, dim, score);
				for (size_t r = 0; r < ASSIGN_ROWS; r++)
					for (size_t i = 0; i < np; i++)
						ASSIGN_NAME(assign_update) (&best[r], &score[r * ASSIGN_VECTORS + i * ASSIGN_PER_PANEL],
													(int32_t) (p + i));
			}
			for (size_t r = 0; r < ASSIGN_ROWS && row + r < nrows; r++)
				ASSIGN_NAME(assign_settle) (&best[r], &nearest[row + r], &scores[row + r]);
		}
	}
}
