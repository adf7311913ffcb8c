/*
 * text_load.c
 *	  Texts of a build, from the scan to the segment.
 *
 *		participant		add, end_row ...: into text writers; what exceeds the
 *						memory becomes a run in the participant's file; finish
 *		leader			open: the runs of all; place each row; write each
 *						column's section by merging the runs through the places
 *
 * A serial build is one participant that goes on as the leader; what it has in
 * memory in the end stays there unless runs went before it.  So lexemes are
 * never sorted with the rows: what goes through the sort is eight bytes, and
 * all participants invert their texts at once.
 *
 * A participant's file: runs, then their directory (a LoadRun each, then a
 * LoadFooter).  Memory beside what was given: four bytes a row for the places.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#include "segment/text_load.h"
#include "text/text_section.h"

/* Collected at least before it moves to a file, for each writer and label. */
#define LOAD_WRITER_MIN ((Size) 128 * 1024)
#define LOAD_COPY_BYTES 65536

/* arrival: participant in the upper, row in the lower bits */
#define LOAD_ROW_BITS 40
#define LOAD_ROWS_MAX (UINT64CONST(1) << LOAD_ROW_BITS)

/* Rows that left memory together. */
typedef struct LoadRun
{
	uint64		first;			/* the participant's row */
	ElacTextRun columns[ELAC_MAX_COLUMNS];	/* of text columns */
} LoadRun;

typedef struct LoadFooter
{
	uint64		nrows;
	uint64		nruns;
} LoadFooter;

typedef struct LoadPart
{
	ElacTextRunFile file;		/* file NULL: nothing left memory */
	uint64		nrows;
	uint64		nruns;
	uint64		runs_room;
	LoadRun    *runs;
	ElacDoc    *places;			/* by row */
} LoadPart;

struct ElacTextLoad
{
	MemoryContext context;
	const ElacRowType *type;
	Size		memory;
	SharedFileSet *files;
	int			participant;
	ElacTextWriter *writers[ELAC_MAX_COLUMNS];	/* NULL in a leader that only reads */
	uint64		collected;		/* first row that is in the writers */
	int			nparts;
	LoadPart   *parts;
};

static ElacTextLoad *
load_create(const ElacRowType *type, Size memory, SharedFileSet *files, int nparts)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym texts of a build",
												  ALLOCSET_DEFAULT_SIZES);
	ElacTextLoad *load = MemoryContextAllocZero(context, sizeof(ElacTextLoad));

	load->context = context;
	load->type = type;
	load->memory = memory;
	load->files = files;
	load->nparts = nparts;
	load->parts = MemoryContextAllocZero(context, nparts * sizeof(LoadPart));
	return load;
}

static void
load_file_name(char *name, int participant)
{
	snprintf(name, MAXPGPATH, "text.%d", participant);
}

ElacTextLoad *
elac_text_load_begin(const ElacRowType *type, Size memory, SharedFileSet *files, int participant)
{
	ElacTextLoad *load = load_create(type, 0, files, 1);
	MemoryContext old = MemoryContextSwitchTo(load->context);
	Size		least = 0;

	load->participant = participant;
	for (int i = 0; i < type->schema->ncolumns; i++)
	{
		const ElacColumn *column = &type->schema->columns[i];

		if (column->kind != ELAC_COLUMN_TEXT)
			continue;
		load->writers[i] = elac_text_writer_begin((ElacTextType) column->element, column->flags);
		least += (column->element == ELAC_TEXT_TSVECTOR ? ELAC_LABELS : 1) * LOAD_WRITER_MIN;
	}
	load->memory = Max(memory, least);
	MemoryContextSwitchTo(old);
	return load;
}

void
elac_text_load_add(ElacTextLoad *load, int column, const ElacTermVector *terms)
{
	elac_text_writer_add(load->writers[column], terms);
}

/* Moves what the writers have to the file. */
static void
load_spill(ElacTextLoad *load)
{
	LoadPart   *part = &load->parts[0];
	MemoryContext old = MemoryContextSwitchTo(load->context);
	LoadRun    *run;

	if (part->file.file == NULL)
	{
		char		name[MAXPGPATH];

		load_file_name(name, load->participant);
		part->file.file = load->files != NULL ? BufFileCreateFileSet(&load->files->fs, name) : BufFileCreateTemp(false);
	}
	if (part->nruns == part->runs_room)
	{
		uint64		room = Max(part->runs_room * 2, 16);

		part->runs = part->runs == NULL ? palloc(room * sizeof(LoadRun)) : repalloc_huge(part->runs, room * sizeof(LoadRun));
		part->runs_room = room;
	}
	run = &part->runs[part->nruns];
	memset(run, 0, sizeof(*run));
	run->first = load->collected;
	for (int i = 0; i < load->type->schema->ncolumns; i++)
	{
		if (load->writers[i] != NULL)
			elac_text_writer_spill(load->writers[i], &part->file, &run->columns[i]);
	}
	part->nruns++;
	load->collected = part->nrows;
	MemoryContextSwitchTo(old);
}

uint64
elac_text_load_end_row(ElacTextLoad *load)
{
	LoadPart   *part = &load->parts[0];
	uint64		row = part->nrows++;
	Size		memory = 0;

	if (part->nrows == LOAD_ROWS_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many rows for one process of a build")));
	for (int i = 0; i < load->type->schema->ncolumns; i++)
	{
		if (load->writers[i] != NULL)
			memory += elac_text_writer_memory(load->writers[i]);
	}
	if (memory >= load->memory)
		load_spill(load);
	return (uint64) load->participant << LOAD_ROW_BITS | row;
}

static void
load_end_writers(ElacTextLoad *load)
{
	for (int i = 0; i < load->type->schema->ncolumns; i++)
	{
		if (load->writers[i] != NULL)
			elac_text_writer_end(load->writers[i]);
		load->writers[i] = NULL;
	}
}

/* Writes the directory behind the runs and gives the file to the others. */
static void
load_export(ElacTextLoad *load)
{
	LoadPart   *part = &load->parts[0];
	LoadFooter	footer;

	footer.nrows = part->nrows;
	footer.nruns = part->nruns;
	for (uint64 i = 0; i < part->nruns; i++)
		BufFileWrite(part->file.file, &part->runs[i], sizeof(LoadRun));
	BufFileWrite(part->file.file, &footer, sizeof(footer));
	BufFileExportFileSet(part->file.file);
	BufFileClose(part->file.file);
	part->file.file = NULL;
}

static void
load_prepare_places(ElacTextLoad *load)
{
	for (int i = 0; i < load->nparts; i++)
		load->parts[i].places = MemoryContextAllocHuge(load->context, mul_size(load->parts[i].nrows + 1, sizeof(ElacDoc)));
	elac_text_load_forget(load);
}

void
elac_text_load_finish(ElacTextLoad *load)
{
	LoadPart   *part = &load->parts[0];

	/* one run need not leave memory unless others want it */
	if (load->files != NULL || (part->nruns > 0 && load->collected < part->nrows))
		load_spill(load);
	if (part->nruns > 0)
		load_end_writers(load);
	if (load->files != NULL)
		load_export(load);
	else
		load_prepare_places(load);
}

static void
load_read(BufFile *file, void *dst, Size len)
{
	if (BufFileRead(file, dst, len) != len)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file of a build: %m")));
}

/* Opens a participant's file. */
static void
load_open_part(ElacTextLoad *load, int participant)
{
	LoadPart   *part = &load->parts[participant];
	char		name[MAXPGPATH];
	LoadFooter	footer;
	int64		size;

	load_file_name(name, participant);
	part->file.file = BufFileOpenFileSet(&load->files->fs, name, O_RDONLY, false);
	size = BufFileSize(part->file.file);
	if (size < (int64) sizeof(footer) ||
		BufFileSeek(part->file.file, 0, (off_t) (size - sizeof(footer)), SEEK_SET) != 0)
		elog(ERROR, "temporary file of a build is too short");
	load_read(part->file.file, &footer, sizeof(footer));
	part->nrows = footer.nrows;
	part->nruns = footer.nruns;
	part->file.size = size - sizeof(footer) - part->nruns * sizeof(LoadRun);
	part->runs = palloc_extended((part->nruns + 1) * sizeof(LoadRun), MCXT_ALLOC_HUGE);
	if (BufFileSeek(part->file.file, 0, (off_t) part->file.size, SEEK_SET) != 0)
		elog(ERROR, "temporary file of a build is too short");
	for (uint64 i = 0; i < part->nruns; i++)
		load_read(part->file.file, &part->runs[i], sizeof(LoadRun));
}

ElacTextLoad *
elac_text_load_open(const ElacRowType *type, Size memory, SharedFileSet *files, int participants)
{
	ElacTextLoad *load = load_create(type, memory, files, participants);
	MemoryContext old = MemoryContextSwitchTo(load->context);

	for (int i = 0; i < participants; i++)
		load_open_part(load, i);
	load_prepare_places(load);
	MemoryContextSwitchTo(old);
	return load;
}

void
elac_text_load_place(ElacTextLoad *load, uint64 arrival, ElacDoc doc)
{
	uint64		participant = arrival >> LOAD_ROW_BITS;
	uint64		row = arrival & (LOAD_ROWS_MAX - 1);

	if (participant >= load->nparts || row >= load->parts[participant].nrows)
		elog(ERROR, "row " UINT64_FORMAT " of participant " UINT64_FORMAT " of a build is not known", row, participant);
	load->parts[participant].places[row] = doc;
}

void
elac_text_load_forget(ElacTextLoad *load)
{
	for (int i = 0; i < load->nparts; i++)
		memset(load->parts[i].places, 0xFF, load->parts[i].nrows * sizeof(ElacDoc));
}

void
elac_text_load_write(ElacTextLoad *load, int column, uint32 ndocs, ElacSectionWriter *out)
{
	const ElacColumn *definition = &load->type->schema->columns[column];
	ElacTextRunSource *sources;
	Size		nsources = 0;

	for (int i = 0; i < load->nparts; i++)
		nsources += load->parts[i].nruns + 1;
	sources = palloc_extended(mul_size(nsources, sizeof(ElacTextRunSource)), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	nsources = 0;
	for (int i = 0; i < load->nparts; i++)
	{
		LoadPart   *part = &load->parts[i];

		for (uint64 n = 0; n < part->nruns; n++)
		{
			sources[nsources].file = &part->file;
			sources[nsources].run = part->runs[n].columns[column];
			sources[nsources].doc_of_seq = part->places + part->runs[n].first;
			nsources++;
		}
	}
	if (load->writers[column] != NULL)
	{
		sources[nsources].writer = load->writers[column];
		sources[nsources].doc_of_seq = load->parts[0].places + load->collected;
		nsources++;
	}
	elac_text_write_runs((ElacTextType) definition->element, definition->flags, sources, (int) nsources, ndocs,
						 load->memory, out);
	pfree(sources);
}

void
elac_text_load_detach(ElacTextLoad *load)
{
	MemoryContext old = MemoryContextSwitchTo(load->context);
	char	   *bytes = palloc(LOAD_COPY_BYTES);

	Assert(load->files != NULL);
	for (int i = 0; i < load->nparts; i++)
	{
		LoadPart   *part = &load->parts[i];
		BufFile    *copy = BufFileCreateTemp(false);

		if (BufFileSeek(part->file.file, 0, 0, SEEK_SET) != 0)
			elog(ERROR, "could not rewind temporary file of a build");
		for (uint64 done = 0; done < part->file.size;)
		{
			Size		len = (Size) Min(part->file.size - done, LOAD_COPY_BYTES);

			CHECK_FOR_INTERRUPTS();
			load_read(part->file.file, bytes, len);
			BufFileWrite(copy, bytes, len);
			done += len;
		}
		BufFileClose(part->file.file);
		part->file.file = copy;
	}
	load->files = NULL;
	pfree(bytes);
	MemoryContextSwitchTo(old);
}

void
elac_text_load_end(ElacTextLoad *load)
{
	for (int i = 0; i < load->nparts; i++)
	{
		if (load->parts[i].file.file != NULL)
			BufFileClose(load->parts[i].file.file);
	}
	MemoryContextDelete(load->context);
}
