/*
 * test_sigv4.c
 *	  Signatures against Amazon's published examples, and the scanner of S3's
 *	  XML against whole, cut and damaged documents.
 *
 * The server's SHA-256 and HMAC are replaced by small ones of our own, so
 * that the test needs no cryptographic library.
 */
#include "pgshim.h"

#include "common/cryptohash.h"
#include "common/hmac.h"

#include "storage/s3_xml.h"
#include "storage/sigv4.h"

/* ---- SHA-256 (FIPS 180-4) and HMAC (RFC 2104), over messages kept whole ---- */

struct pg_cryptohash_ctx
{
	uint8	   *bytes;
	size_t		len;
};

struct pg_hmac_ctx
{
	uint8		pad[64];		/* the key, xor 0x5c at the end */
	struct pg_cryptohash_ctx inner;
};

static uint32
rotate(uint32 x, int n)
{
	return x >> n | x << (32 - n);
}

static void
sha256_block(uint32 *state, const uint8 *block)
{
	static const uint32 k[64] = {
		0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
		0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
		0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
		0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
		0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
		0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
		0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
		0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
	};
	uint32		w[64];
	uint32		v[8];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32) block[4 * i] << 24 | (uint32) block[4 * i + 1] << 16 | (uint32) block[4 * i + 2] << 8 | block[4 * i + 3];
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
			(rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(v, state, sizeof(v));
	for (int i = 0; i < 64; i++)
	{
		uint32		t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
		uint32		t2 = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(uint32));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		state[i] += v[i];
}

pg_cryptohash_ctx *
pg_cryptohash_create(pg_cryptohash_type type)
{
	CHECK_EQ(type, PG_SHA256);
	return palloc0(sizeof(struct pg_cryptohash_ctx));
}

int
pg_cryptohash_init(pg_cryptohash_ctx *ctx)
{
	ctx->bytes = palloc0(128);
	ctx->len = 0;
	return 0;
}

int
pg_cryptohash_update(pg_cryptohash_ctx *ctx, const uint8 *data, size_t len)
{
	ctx->bytes = repalloc(ctx->bytes, ctx->len + len + 128);
	memcpy(ctx->bytes + ctx->len, data, len);
	ctx->len += len;
	return 0;
}

int
pg_cryptohash_final(pg_cryptohash_ctx *ctx, uint8 *dest, size_t len)
{
	uint32		state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	size_t		padded = (ctx->len + 9 + 63) / 64 * 64;

	memset(ctx->bytes + ctx->len, 0, padded - ctx->len);
	ctx->bytes[ctx->len] = 0x80;
	for (int i = 0; i < 8; i++)
		ctx->bytes[padded - 1 - i] = (uint8) ((uint64) ctx->len * 8 >> (8 * i));
	for (size_t i = 0; i < padded; i += 64)
		sha256_block(state, ctx->bytes + i);
	for (int i = 0; i < 32; i++)
		dest[i] = (uint8) (state[i / 4] >> (24 - 8 * (i % 4)));
	return 0;
}

void
pg_cryptohash_free(pg_cryptohash_ctx *ctx)
{
	pfree(ctx->bytes);
	pfree(ctx);
}

const char *
pg_cryptohash_error(pg_cryptohash_ctx *ctx)
{
	return "";
}

pg_hmac_ctx *
pg_hmac_create(pg_cryptohash_type type)
{
	CHECK_EQ(type, PG_SHA256);
	return palloc0(sizeof(struct pg_hmac_ctx));
}

int
pg_hmac_init(pg_hmac_ctx *ctx, const uint8 *key, size_t len)
{
	CHECK(len <= 64);
	memset(ctx->pad, 0, 64);
	memcpy(ctx->pad, key, len);
	for (int i = 0; i < 64; i++)
		ctx->pad[i] ^= 0x36;
	pg_cryptohash_init(&ctx->inner);
	return pg_cryptohash_update(&ctx->inner, ctx->pad, 64);
}

int
pg_hmac_update(pg_hmac_ctx *ctx, const uint8 *data, size_t len)
{
	return pg_cryptohash_update(&ctx->inner, data, len);
}

int
pg_hmac_final(pg_hmac_ctx *ctx, uint8 *dest, size_t len)
{
	uint8		digest[32];

	pg_cryptohash_final(&ctx->inner, digest, 32);
	for (int i = 0; i < 64; i++)
		ctx->pad[i] ^= 0x36 ^ 0x5c;
	ctx->inner.len = 0;
	pg_cryptohash_update(&ctx->inner, ctx->pad, 64);
	pg_cryptohash_update(&ctx->inner, digest, 32);
	return pg_cryptohash_final(&ctx->inner, dest, len);
}

void
pg_hmac_free(pg_hmac_ctx *ctx)
{
	pfree(ctx->inner.bytes);
	pfree(ctx);
}

const char *
pg_hmac_error(pg_hmac_ctx *ctx)
{
	return "";
}

/* ---- signatures ---- */

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define WELCOME "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

/* Examples of https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
static const struct
{
	ElacSignedRequest request;
	const char *names;
	const char *signature;
}			examples[] = {
	{
		{"GET", "/test.txt", "",
			(ElacSignedHeader[]) {{"host", "examplebucket.s3.amazonaws.com"}, {"range", "bytes=0-9"},
			{"x-amz-content-sha256", EMPTY}, {"x-amz-date", "20130524T000000Z"}}, 4, EMPTY, "20130524T000000Z"},
		"host;range;x-amz-content-sha256;x-amz-date",
		"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
	},
	{
		{"PUT", "/test%24file.text", "",
			(ElacSignedHeader[]) {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"host", "examplebucket.s3.amazonaws.com"},
			{"x-amz-content-sha256", WELCOME}, {"x-amz-date", "20130524T000000Z"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
		5, WELCOME, "20130524T000000Z"},
		"date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
		"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
	},
	{
		{"GET", "/", "lifecycle=",
			(ElacSignedHeader[]) {{"host", "examplebucket.s3.amazonaws.com"}, {"x-amz-content-sha256", EMPTY},
			{"x-amz-date", "20130524T000000Z"}}, 3, EMPTY, "20130524T000000Z"},
		"host;x-amz-content-sha256;x-amz-date",
		"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
	},
	{
		{"GET", "/", "max-keys=2&prefix=J",
			(ElacSignedHeader[]) {{"host", "examplebucket.s3.amazonaws.com"}, {"x-amz-content-sha256", EMPTY},
			{"x-amz-date", "20130524T000000Z"}}, 3, EMPTY, "20130524T000000Z"},
		"host;x-amz-content-sha256;x-amz-date",
		"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
	}
};

static void
test_examples(void)
{
	ElacSigner	signer = {.access_key = "AKIAIOSFODNN7EXAMPLE",.secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	.region = "us-east-1",.service = "s3"};

	for (int i = 0; i < lengthof(examples); i++)
	{
		char	   *wanted = psprintf("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=%s,Signature=%s",
									  examples[i].names, examples[i].signature);
		char	   *got = elac_sigv4_authorization(&signer, &examples[i].request);

		CHECK(strcmp(got, wanted) == 0);
	}
	CHECK(strcmp(signer.day, "20130524") == 0);
}

/* The first case of Amazon's test suite for the algorithm, and its key. */
static void
test_suite_case(void)
{
	ElacSigner	signer = {.access_key = "AKIDEXAMPLE",.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
	.region = "us-east-1",.service = "service"};
	const ElacSignedHeader headers[] = {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}};
	ElacSignedRequest request = {"GET", "/", "", headers, 2, EMPTY, "20150830T123600Z"};
	char	   *first = elac_sigv4_authorization(&signer, &request);
	char	   *other;

	CHECK(strstr(first, "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31") != NULL);

	/* The key follows the day, and comes back with it. */
	request.amz_date = "20150831T000000Z";
	other = elac_sigv4_authorization(&signer, &request);
	CHECK(strcmp(first, other) != 0);
	CHECK(strcmp(signer.day, "20150831") == 0);
	request.amz_date = "20150830T123600Z";
	CHECK(strcmp(first, elac_sigv4_authorization(&signer, &request)) == 0);
}

static void
test_pieces(void)
{
	char		hex[ELAC_SHA256_HEX];
	char		date[ELAC_AMZ_DATE];
	uint8	   *large = palloc(9000000);
	StringInfoData out;

	elac_sigv4_hash((const uint8 *) "", 0, hex);
	CHECK(strcmp(hex, EMPTY) == 0);
	elac_sigv4_hash((const uint8 *) "Welcome to Amazon S3.", 21, hex);
	CHECK(strcmp(hex, WELCOME) == 0);
	memset(large, 'a', 9000000);
	elac_sigv4_hash(large, 1000000, hex);
	CHECK(strcmp(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0") == 0);
	pgshim_cancel_after(3);		/* more than two steps */
	CHECK_RAISES(elac_sigv4_hash(large, 9000000, hex), ERRCODE_QUERY_CANCELED);
	pgshim_cancel_after(0);

	elac_sigv4_date(1369353600, date);
	CHECK(strcmp(date, "20130524T000000Z") == 0);

	initStringInfo(&out);
	elac_sigv4_quote(&out, "a/b c~$\xc3\xa9", true);
	CHECK(strcmp(out.data, "a/b%20c~%24%C3%A9") == 0);
	resetStringInfo(&out);
	elac_sigv4_quote(&out, "a/b+=", false);
	CHECK(strcmp(out.data, "a%2Fb%2B%3D") == 0);
}

/* ---- XML ---- */

static const char listing[] =
"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
"<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><!-- <Key>no</Key> -->\n"
"  <Name>bucket</Name><Prefix/><IsTruncated>true</IsTruncated>\n"
"  <Contents><Key>a/b&amp;&#x41;&#66;</Key><ETag>&quot;x&quot;</ETag><Owner><ID>i</ID></Owner></Contents>\n"
"  <Contents><Key>second</Key></Contents>\n"
"  <CommonPrefixes><Prefix>p</Prefix></CommonPrefixes>\n"
"</ListBucketResult>\n";

static int
count_keys(const char *bytes, uint64 len, bool *bad)
{
	ElacXml		xml;
	int			n = 0;

	elac_xml_begin(&xml, bytes, len);
	while (elac_xml_next(&xml))
		if (elac_xml_is(&xml, "ListBucketResult/Contents/Key"))
		{
			n++;
			elac_xml_text(&xml);
		}
	*bad = xml.bad;
	return n;
}

static void
test_xml(void)
{
	size_t		len = strlen(listing);
	size_t		root_end = len - 1;
	bool		bad;
	char	   *text;

	CHECK_EQ(count_keys(listing, len, &bad), 2);
	CHECK(!bad);
	text = elac_xml_find(listing, len, "ListBucketResult/Contents/Key");
	CHECK(text != NULL && strcmp(text, "a/b&AB") == 0);
	text = elac_xml_find(listing, len, "ListBucketResult/Contents/ETag");
	CHECK(text != NULL && strcmp(text, "\"x\"") == 0);
	text = elac_xml_find(listing, len, "ListBucketResult/Prefix");
	CHECK(text != NULL && text[0] == '\0');
	CHECK(elac_xml_find(listing, len, "ListBucketResult/Key") == NULL);
	CHECK(elac_xml_find(listing, len, "ListBucketResult/Contents/Ke") == NULL);
	CHECK(elac_xml_find("<Error><Code>a&b;</Code></Error>", 32, "Error/Code") == NULL);

	/* Cut anywhere before the root's end, it is not whole.  Exact copies let the sanitizer see overruns. */
	for (size_t cut = 0; cut < root_end; cut++)
	{
		char	   *copy = palloc(cut + 1);

		memcpy(copy, listing, cut);
		copy = repalloc(copy, Max(cut, 1));
		count_keys(copy, cut, &bad);
		CHECK(bad);
		pfree(copy);
	}

	/* Any byte changed: an answer, whatever it is. */
	for (size_t at = 0; at < len; at++)
		for (int to = 0; to < 256; to += 3)
		{
			char	   *copy = palloc(len);

			memcpy(copy, listing, len);
			copy[at] = (char) to;
			CHECK(count_keys(copy, len, &bad) <= 3);
			pfree(copy);
		}
}

static void
test_xml_malformed(void)
{
	static const char *const malformed[] = {
		"", " ", "text", "<", "<>", "</a>", "<a>", "<a></b>", "<a><b></a></b>", "<a/><b/>", "<a/>x", "<a b=\"></a>",
		"<!DOCTYPE a [<!ENTITY x \"y\">]><a/>", "<a><![CDATA[x]]></a>", "<a><!-- </a>", "<?xml <a/>", "<a><b</a>",
		"<a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a>", "<a><?xml version=\"1.0\"?></a>"
	};
	bool		bad;

	for (int i = 0; i < lengthof(malformed); i++)
	{
		count_keys(malformed[i], strlen(malformed[i]), &bad);
		check_one(bad, __FILE__, __LINE__, malformed[i]);
	}
	count_keys("<a/>", 4, &bad);
	CHECK(!bad);
	count_keys("<a b='>' c=\"/\"></a >\n", 20, &bad);
	CHECK(!bad);
}

int
main(void)
{
	pgshim_init();
	test_examples();
	test_suite_case();
	test_pieces();
	test_xml();
	test_xml_malformed();
	return check_done();
}
