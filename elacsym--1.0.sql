/* elacsym--1.0.sql */

-- complain if the script is sourced in psql rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION elacsym" to load this file. \quit

-- ===== 1. vector types (src/types) =====

-- Extension "vector" (pgvector), where it is installed, brings the types; the
-- function then lets the rest of this script find them by their bare names.
-- Every update script calls it again: see its comment in src/types/adopt.c.
CREATE FUNCTION @extschema@.elacsym_adopt_vector() RETURNS boolean
	AS 'MODULE_PATHNAME', 'elac_types_adopt' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.elacsym_adopt_vector() IS 'used by extension scripts: take the types of extension vector if it is installed';
REVOKE ALL ON FUNCTION @extschema@.elacsym_adopt_vector() FROM PUBLIC;

DO $adopt$
BEGIN
	IF @extschema@.elacsym_adopt_vector() THEN
		RETURN;
	END IF;
	EXECUTE $own$

-- vector: the type
CREATE TYPE vector;
CREATE FUNCTION vector_in(cstring, oid, integer) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_in(cstring, oid, integer) IS 'text form of vector, read';
CREATE FUNCTION vector_out(vector) RETURNS cstring
	AS 'MODULE_PATHNAME', 'elac_vector_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_out(vector) IS 'text form of vector, written';
CREATE FUNCTION vector_typmod_in(cstring[]) RETURNS integer
	AS 'MODULE_PATHNAME', 'elac_vector_typmod_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_typmod_in(cstring[]) IS 'dimensions of vector(n), read';
CREATE FUNCTION vector_recv(internal, oid, integer) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_recv(internal, oid, integer) IS 'binary form of vector, read';
CREATE FUNCTION vector_send(vector) RETURNS bytea
	AS 'MODULE_PATHNAME', 'elac_vector_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_send(vector) IS 'binary form of vector, written';
CREATE TYPE vector (
	INPUT = vector_in, OUTPUT = vector_out, TYPMOD_IN = vector_typmod_in,
	RECEIVE = vector_recv, SEND = vector_send, STORAGE = external
);
COMMENT ON TYPE vector IS 'vector of single-precision numbers';

-- halfvec: the type
CREATE TYPE halfvec;
CREATE FUNCTION halfvec_in(cstring, oid, integer) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_in(cstring, oid, integer) IS 'text form of halfvec, read';
CREATE FUNCTION halfvec_out(halfvec) RETURNS cstring
	AS 'MODULE_PATHNAME', 'elac_halfvec_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_out(halfvec) IS 'text form of halfvec, written';
CREATE FUNCTION halfvec_typmod_in(cstring[]) RETURNS integer
	AS 'MODULE_PATHNAME', 'elac_halfvec_typmod_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_typmod_in(cstring[]) IS 'dimensions of halfvec(n), read';
CREATE FUNCTION halfvec_recv(internal, oid, integer) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_recv(internal, oid, integer) IS 'binary form of halfvec, read';
CREATE FUNCTION halfvec_send(halfvec) RETURNS bytea
	AS 'MODULE_PATHNAME', 'elac_halfvec_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_send(halfvec) IS 'binary form of halfvec, written';
CREATE TYPE halfvec (
	INPUT = halfvec_in, OUTPUT = halfvec_out, TYPMOD_IN = halfvec_typmod_in,
	RECEIVE = halfvec_recv, SEND = halfvec_send, STORAGE = external
);
COMMENT ON TYPE halfvec IS 'vector of half-precision numbers';

-- vector: distances and measures
CREATE FUNCTION elacsym_vector_distance_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'elac_vector_distance_support' LANGUAGE C STRICT;
CREATE FUNCTION l2_distance(vector, vector) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_vector_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_vector_distance_support;
COMMENT ON FUNCTION l2_distance(vector, vector) IS 'Euclidean distance';
CREATE FUNCTION inner_product(vector, vector) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_vector_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_vector_distance_support;
COMMENT ON FUNCTION inner_product(vector, vector) IS 'inner product';
CREATE FUNCTION cosine_distance(vector, vector) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_vector_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_vector_distance_support;
COMMENT ON FUNCTION cosine_distance(vector, vector) IS '1 - cosine of the angle';
CREATE FUNCTION l1_distance(vector, vector) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_vector_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_vector_distance_support;
COMMENT ON FUNCTION l1_distance(vector, vector) IS 'sum of absolute differences';
CREATE FUNCTION vector_l2_squared_distance(vector, vector) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_vector_l2_squared_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_vector_distance_support;
COMMENT ON FUNCTION vector_l2_squared_distance(vector, vector) IS 'square of the Euclidean distance';
CREATE FUNCTION vector_negative_inner_product(vector, vector) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_vector_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_vector_distance_support;
COMMENT ON FUNCTION vector_negative_inner_product(vector, vector) IS 'inner product, negated: smaller is nearer';
CREATE FUNCTION vector_spherical_distance(vector, vector) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_vector_spherical_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_vector_distance_support;
COMMENT ON FUNCTION vector_spherical_distance(vector, vector) IS 'angle between unit vectors, in half turns';
CREATE FUNCTION vector_dims(vector) RETURNS integer
	AS 'MODULE_PATHNAME', 'elac_vector_dims' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_dims(vector) IS 'number of dimensions';
CREATE FUNCTION vector_norm(vector) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_vector_norm' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_norm(vector) IS 'Euclidean norm';
CREATE FUNCTION l2_normalize(vector) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_l2_normalize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_normalize(vector) IS 'the vector divided by its Euclidean norm';
CREATE FUNCTION binary_quantize(vector) RETURNS bit
	AS 'MODULE_PATHNAME', 'elac_vector_binary_quantize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION binary_quantize(vector) IS 'one bit a component: is it above zero';
CREATE FUNCTION subvector(vector, integer, integer) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_subvector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION subvector(vector, integer, integer) IS 'components from a start, counted from 1, and their number';

-- vector: arithmetic, comparison, hashing
CREATE FUNCTION vector_add(vector, vector) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_add(vector, vector) IS 'sum by component';
CREATE FUNCTION vector_sub(vector, vector) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_sub' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_sub(vector, vector) IS 'difference by component';
CREATE FUNCTION vector_mul(vector, vector) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_mul' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_mul(vector, vector) IS 'product by component';
CREATE FUNCTION vector_concat(vector, vector) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_concat' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_concat(vector, vector) IS 'components of both, one after the other';
CREATE FUNCTION vector_lt(vector, vector) RETURNS boolean
	AS 'MODULE_PATHNAME', 'elac_vector_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_lt(vector, vector) IS 'less than';
CREATE FUNCTION vector_le(vector, vector) RETURNS boolean
	AS 'MODULE_PATHNAME', 'elac_vector_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_le(vector, vector) IS 'less than or equal';
CREATE FUNCTION vector_eq(vector, vector) RETURNS boolean
	AS 'MODULE_PATHNAME', 'elac_vector_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_eq(vector, vector) IS 'equal';
CREATE FUNCTION vector_ne(vector, vector) RETURNS boolean
	AS 'MODULE_PATHNAME', 'elac_vector_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_ne(vector, vector) IS 'not equal';
CREATE FUNCTION vector_ge(vector, vector) RETURNS boolean
	AS 'MODULE_PATHNAME', 'elac_vector_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_ge(vector, vector) IS 'greater than or equal';
CREATE FUNCTION vector_gt(vector, vector) RETURNS boolean
	AS 'MODULE_PATHNAME', 'elac_vector_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_gt(vector, vector) IS 'greater than';
CREATE FUNCTION vector_cmp(vector, vector) RETURNS integer
	AS 'MODULE_PATHNAME', 'elac_vector_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_cmp(vector, vector) IS '-1, 0 or 1: btree comparison';
CREATE FUNCTION vector_hash(vector) RETURNS integer
	AS 'MODULE_PATHNAME', 'elac_vector_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_hash(vector) IS 'hash';
CREATE FUNCTION vector_hash_extended(vector, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'elac_vector_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_hash_extended(vector, bigint) IS 'hash with a seed';

-- vector: aggregates
CREATE FUNCTION vector_accum(double precision[], vector) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'elac_vector_accum' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_accum(double precision[], vector) IS 'transition of avg(vector)';
CREATE FUNCTION vector_combine(double precision[], double precision[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'elac_vector_combine' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_combine(double precision[], double precision[]) IS 'combination of two states of avg(vector)';
CREATE FUNCTION vector_avg(double precision[]) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_avg' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_avg(double precision[]) IS 'result of avg(vector)';
CREATE AGGREGATE avg(vector) (
	SFUNC = vector_accum, STYPE = double precision[], INITCOND = '{0}',
	COMBINEFUNC = vector_combine, FINALFUNC = vector_avg, PARALLEL = SAFE
);
COMMENT ON AGGREGATE avg(vector) IS 'mean by component';
CREATE AGGREGATE sum(vector) (
	SFUNC = vector_add, STYPE = vector, COMBINEFUNC = vector_add, PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(vector) IS 'sum by component';

-- halfvec: distances and measures
CREATE FUNCTION elacsym_halfvec_distance_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'elac_halfvec_distance_support' LANGUAGE C STRICT;
CREATE FUNCTION l2_distance(halfvec, halfvec) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_halfvec_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_halfvec_distance_support;
COMMENT ON FUNCTION l2_distance(halfvec, halfvec) IS 'Euclidean distance';
CREATE FUNCTION inner_product(halfvec, halfvec) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_halfvec_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_halfvec_distance_support;
COMMENT ON FUNCTION inner_product(halfvec, halfvec) IS 'inner product';
CREATE FUNCTION cosine_distance(halfvec, halfvec) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_halfvec_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_halfvec_distance_support;
COMMENT ON FUNCTION cosine_distance(halfvec, halfvec) IS '1 - cosine of the angle';
CREATE FUNCTION l1_distance(halfvec, halfvec) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_halfvec_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_halfvec_distance_support;
COMMENT ON FUNCTION l1_distance(halfvec, halfvec) IS 'sum of absolute differences';
CREATE FUNCTION halfvec_l2_squared_distance(halfvec, halfvec) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_halfvec_l2_squared_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_halfvec_distance_support;
COMMENT ON FUNCTION halfvec_l2_squared_distance(halfvec, halfvec) IS 'square of the Euclidean distance';
CREATE FUNCTION halfvec_negative_inner_product(halfvec, halfvec) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_halfvec_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_halfvec_distance_support;
COMMENT ON FUNCTION halfvec_negative_inner_product(halfvec, halfvec) IS 'inner product, negated: smaller is nearer';
CREATE FUNCTION halfvec_spherical_distance(halfvec, halfvec) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_halfvec_spherical_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_halfvec_distance_support;
COMMENT ON FUNCTION halfvec_spherical_distance(halfvec, halfvec) IS 'angle between unit vectors, in half turns';
CREATE FUNCTION vector_dims(halfvec) RETURNS integer
	AS 'MODULE_PATHNAME', 'elac_halfvec_dims' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_dims(halfvec) IS 'number of dimensions';
CREATE FUNCTION l2_norm(halfvec) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_halfvec_norm' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_norm(halfvec) IS 'Euclidean norm';
CREATE FUNCTION l2_normalize(halfvec) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_l2_normalize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_normalize(halfvec) IS 'the vector divided by its Euclidean norm';
CREATE FUNCTION binary_quantize(halfvec) RETURNS bit
	AS 'MODULE_PATHNAME', 'elac_halfvec_binary_quantize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION binary_quantize(halfvec) IS 'one bit a component: is it above zero';
CREATE FUNCTION subvector(halfvec, integer, integer) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_subvector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION subvector(halfvec, integer, integer) IS 'components from a start, counted from 1, and their number';

-- halfvec: arithmetic, comparison, hashing
CREATE FUNCTION halfvec_add(halfvec, halfvec) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_add(halfvec, halfvec) IS 'sum by component';
CREATE FUNCTION halfvec_sub(halfvec, halfvec) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_sub' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_sub(halfvec, halfvec) IS 'difference by component';
CREATE FUNCTION halfvec_mul(halfvec, halfvec) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_mul' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_mul(halfvec, halfvec) IS 'product by component';
CREATE FUNCTION halfvec_concat(halfvec, halfvec) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_concat' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_concat(halfvec, halfvec) IS 'components of both, one after the other';
CREATE FUNCTION halfvec_lt(halfvec, halfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'elac_halfvec_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_lt(halfvec, halfvec) IS 'less than';
CREATE FUNCTION halfvec_le(halfvec, halfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'elac_halfvec_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_le(halfvec, halfvec) IS 'less than or equal';
CREATE FUNCTION halfvec_eq(halfvec, halfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'elac_halfvec_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_eq(halfvec, halfvec) IS 'equal';
CREATE FUNCTION halfvec_ne(halfvec, halfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'elac_halfvec_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_ne(halfvec, halfvec) IS 'not equal';
CREATE FUNCTION halfvec_ge(halfvec, halfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'elac_halfvec_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_ge(halfvec, halfvec) IS 'greater than or equal';
CREATE FUNCTION halfvec_gt(halfvec, halfvec) RETURNS boolean
	AS 'MODULE_PATHNAME', 'elac_halfvec_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_gt(halfvec, halfvec) IS 'greater than';
CREATE FUNCTION halfvec_cmp(halfvec, halfvec) RETURNS integer
	AS 'MODULE_PATHNAME', 'elac_halfvec_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_cmp(halfvec, halfvec) IS '-1, 0 or 1: btree comparison';
CREATE FUNCTION halfvec_hash(halfvec) RETURNS integer
	AS 'MODULE_PATHNAME', 'elac_halfvec_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_hash(halfvec) IS 'hash';
CREATE FUNCTION halfvec_hash_extended(halfvec, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'elac_halfvec_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_hash_extended(halfvec, bigint) IS 'hash with a seed';

-- halfvec: aggregates
CREATE FUNCTION halfvec_accum(double precision[], halfvec) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'elac_halfvec_accum' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_accum(double precision[], halfvec) IS 'transition of avg(halfvec)';
CREATE FUNCTION halfvec_combine(double precision[], double precision[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'elac_vector_combine' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_combine(double precision[], double precision[]) IS 'combination of two states of avg(halfvec)';
CREATE FUNCTION halfvec_avg(double precision[]) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_avg' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_avg(double precision[]) IS 'result of avg(halfvec)';
CREATE AGGREGATE avg(halfvec) (
	SFUNC = halfvec_accum, STYPE = double precision[], INITCOND = '{0}',
	COMBINEFUNC = halfvec_combine, FINALFUNC = halfvec_avg, PARALLEL = SAFE
);
COMMENT ON AGGREGATE avg(halfvec) IS 'mean by component';
CREATE AGGREGATE sum(halfvec) (
	SFUNC = halfvec_add, STYPE = halfvec, COMBINEFUNC = halfvec_add, PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(halfvec) IS 'sum by component';

-- casts
CREATE FUNCTION vector(vector, integer, boolean) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_coerce' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector(vector, integer, boolean) IS 'apply the dimensions of vector(n)';
CREATE FUNCTION halfvec_to_vector(halfvec, integer, boolean) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_from_halfvec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_to_vector(halfvec, integer, boolean) IS 'halfvec as vector';
CREATE FUNCTION array_to_vector(integer[], integer, boolean) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_from_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_vector(integer[], integer, boolean) IS 'array as vector';
CREATE FUNCTION array_to_vector(real[], integer, boolean) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_from_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_vector(real[], integer, boolean) IS 'array as vector';
CREATE FUNCTION array_to_vector(double precision[], integer, boolean) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_from_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_vector(double precision[], integer, boolean) IS 'array as vector';
CREATE FUNCTION array_to_vector(numeric[], integer, boolean) RETURNS vector
	AS 'MODULE_PATHNAME', 'elac_vector_from_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_vector(numeric[], integer, boolean) IS 'array as vector';
CREATE FUNCTION vector_to_float4(vector, integer, boolean) RETURNS real[]
	AS 'MODULE_PATHNAME', 'elac_vector_to_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_to_float4(vector, integer, boolean) IS 'vector as array';
CREATE FUNCTION halfvec(halfvec, integer, boolean) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_coerce' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec(halfvec, integer, boolean) IS 'apply the dimensions of halfvec(n)';
CREATE FUNCTION vector_to_halfvec(vector, integer, boolean) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_from_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_to_halfvec(vector, integer, boolean) IS 'vector as halfvec';
CREATE FUNCTION array_to_halfvec(integer[], integer, boolean) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_from_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_halfvec(integer[], integer, boolean) IS 'array as halfvec';
CREATE FUNCTION array_to_halfvec(real[], integer, boolean) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_from_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_halfvec(real[], integer, boolean) IS 'array as halfvec';
CREATE FUNCTION array_to_halfvec(double precision[], integer, boolean) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_from_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_halfvec(double precision[], integer, boolean) IS 'array as halfvec';
CREATE FUNCTION array_to_halfvec(numeric[], integer, boolean) RETURNS halfvec
	AS 'MODULE_PATHNAME', 'elac_halfvec_from_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_halfvec(numeric[], integer, boolean) IS 'array as halfvec';
CREATE FUNCTION halfvec_to_float4(halfvec, integer, boolean) RETURNS real[]
	AS 'MODULE_PATHNAME', 'elac_halfvec_to_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_to_float4(halfvec, integer, boolean) IS 'halfvec as array';
CREATE CAST (vector AS vector) WITH FUNCTION vector(vector, integer, boolean) AS IMPLICIT;
CREATE CAST (vector AS halfvec) WITH FUNCTION vector_to_halfvec(vector, integer, boolean) AS IMPLICIT;
CREATE CAST (vector AS real[]) WITH FUNCTION vector_to_float4(vector, integer, boolean) AS IMPLICIT;
CREATE CAST (integer[] AS vector) WITH FUNCTION array_to_vector(integer[], integer, boolean) AS ASSIGNMENT;
CREATE CAST (real[] AS vector) WITH FUNCTION array_to_vector(real[], integer, boolean) AS ASSIGNMENT;
CREATE CAST (double precision[] AS vector) WITH FUNCTION array_to_vector(double precision[], integer, boolean) AS ASSIGNMENT;
CREATE CAST (numeric[] AS vector) WITH FUNCTION array_to_vector(numeric[], integer, boolean) AS ASSIGNMENT;
CREATE CAST (halfvec AS halfvec) WITH FUNCTION halfvec(halfvec, integer, boolean) AS IMPLICIT;
CREATE CAST (halfvec AS vector) WITH FUNCTION halfvec_to_vector(halfvec, integer, boolean) AS ASSIGNMENT;
CREATE CAST (halfvec AS real[]) WITH FUNCTION halfvec_to_float4(halfvec, integer, boolean) AS ASSIGNMENT;
CREATE CAST (integer[] AS halfvec) WITH FUNCTION array_to_halfvec(integer[], integer, boolean) AS ASSIGNMENT;
CREATE CAST (real[] AS halfvec) WITH FUNCTION array_to_halfvec(real[], integer, boolean) AS ASSIGNMENT;
CREATE CAST (double precision[] AS halfvec) WITH FUNCTION array_to_halfvec(double precision[], integer, boolean) AS ASSIGNMENT;
CREATE CAST (numeric[] AS halfvec) WITH FUNCTION array_to_halfvec(numeric[], integer, boolean) AS ASSIGNMENT;

-- vector: operators and operator classes
CREATE OPERATOR <-> (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = l2_distance, COMMUTATOR = <->
);
CREATE OPERATOR <#> (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_negative_inner_product, COMMUTATOR = <#>
);
CREATE OPERATOR <=> (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = cosine_distance, COMMUTATOR = <=>
);
CREATE OPERATOR <+> (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = l1_distance, COMMUTATOR = <+>
);
CREATE OPERATOR + (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_add, COMMUTATOR = +
);
CREATE OPERATOR - (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_sub
);
CREATE OPERATOR * (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_mul, COMMUTATOR = *
);
CREATE OPERATOR || (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_concat
);
CREATE OPERATOR < (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_lt,
	COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR <= (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_le,
	COMMUTATOR = >=, NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR = (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_eq,
	COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR <> (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_ne,
	COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR >= (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_ge,
	COMMUTATOR = <=, NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR > (
	LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_gt,
	COMMUTATOR = <, NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
CREATE OPERATOR CLASS vector_ops DEFAULT FOR TYPE vector USING btree AS
	OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
	FUNCTION 1 vector_cmp(vector, vector);
CREATE OPERATOR CLASS vector_ops DEFAULT FOR TYPE vector USING hash AS
	OPERATOR 1 =,
	FUNCTION 1 vector_hash(vector),
	FUNCTION 2 vector_hash_extended(vector, bigint);

-- halfvec: operators and operator classes
CREATE OPERATOR <-> (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = l2_distance, COMMUTATOR = <->
);
CREATE OPERATOR <#> (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_negative_inner_product, COMMUTATOR = <#>
);
CREATE OPERATOR <=> (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = cosine_distance, COMMUTATOR = <=>
);
CREATE OPERATOR <+> (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = l1_distance, COMMUTATOR = <+>
);
CREATE OPERATOR + (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_add, COMMUTATOR = +
);
CREATE OPERATOR - (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_sub
);
CREATE OPERATOR * (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_mul, COMMUTATOR = *
);
CREATE OPERATOR || (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_concat
);
CREATE OPERATOR < (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_lt,
	COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR <= (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_le,
	COMMUTATOR = >=, NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR = (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_eq,
	COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR <> (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_ne,
	COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR >= (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_ge,
	COMMUTATOR = <=, NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR > (
	LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_gt,
	COMMUTATOR = <, NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
CREATE OPERATOR CLASS halfvec_ops DEFAULT FOR TYPE halfvec USING btree AS
	OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
	FUNCTION 1 halfvec_cmp(halfvec, halfvec);
CREATE OPERATOR CLASS halfvec_ops DEFAULT FOR TYPE halfvec USING hash AS
	OPERATOR 1 =,
	FUNCTION 1 halfvec_hash(halfvec),
	FUNCTION 2 halfvec_hash_extended(halfvec, bigint);

$own$;
END
$adopt$;

-- ===== 2. stores (src/storage, src/api/store_validator.c) =====

CREATE FUNCTION elacsym_store_validator(options text[], catalog oid) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
REVOKE ALL ON FUNCTION elacsym_store_validator(text[], oid) FROM PUBLIC;

-- Stores are configuration only: there is no handler, and no foreign tables.
CREATE FOREIGN DATA WRAPPER elacsym_store VALIDATOR elacsym_store_validator;

CREATE FUNCTION elacsym_store_check(server name, OUT "check" text, OUT ok boolean, OUT detail text) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION elacsym_store_check(name) IS 'tries what elacsym needs of a store, as the current user';

-- ===== 3. text queries (src/types/text_query.c) =====

-- a text query with its options, bound to an index and to some of its BM25 columns
CREATE TYPE elacsym_query;

CREATE FUNCTION elacsym_query_in(cstring) RETURNS elacsym_query
	AS 'MODULE_PATHNAME', 'elac_text_query_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION elacsym_query_in(cstring) IS 'text form of elacsym_query; always an error';

CREATE FUNCTION elacsym_query_out(elacsym_query) RETURNS cstring
	AS 'MODULE_PATHNAME', 'elac_text_query_out' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION elacsym_query_out(elacsym_query) IS 'text form of elacsym_query, written';

CREATE TYPE elacsym_query (
	INPUT = elacsym_query_in, OUTPUT = elacsym_query_out, STORAGE = extended
);
COMMENT ON TYPE elacsym_query IS 'text query with options, bound to an elacsym index when it is used';

-- queries with options
CREATE FUNCTION elacsym_match(query text, weights real[] DEFAULT NULL, combine text DEFAULT 'sum',
							  min_match real DEFAULT 1, prefix boolean DEFAULT false) RETURNS elacsym_query
	AS 'MODULE_PATHNAME', 'elac_text_query_match_words' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION elacsym_match(text, real[], text, real, boolean) IS 'words to be ranked by operator <@>, with options';

CREATE FUNCTION elacsym_match(query tsquery, weights real[] DEFAULT NULL, combine text DEFAULT 'sum') RETURNS elacsym_query
	AS 'MODULE_PATHNAME', 'elac_text_query_match_tsquery' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION elacsym_match(tsquery, real[], text) IS 'tsquery to be ranked by operator <@>, with options';

CREATE FUNCTION elacsym_bind_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'elac_text_query_bind_support' LANGUAGE C STRICT;

CREATE FUNCTION elacsym_bind(query text, index regclass, attribute int2) RETURNS elacsym_query
	AS 'MODULE_PATHNAME', 'elac_text_query_bind_words' LANGUAGE C STABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_bind_support;
COMMENT ON FUNCTION elacsym_bind(text, regclass, int2) IS 'text query bound to a BM25 column of an index; the planner makes these calls';

CREATE FUNCTION elacsym_bind(query text, index regclass, attributes int2[]) RETURNS elacsym_query
	AS 'MODULE_PATHNAME', 'elac_text_query_bind_words' LANGUAGE C STABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_bind_support;
COMMENT ON FUNCTION elacsym_bind(text, regclass, int2[]) IS 'text query bound to several BM25 columns of an index; the planner makes these calls';

CREATE FUNCTION elacsym_bind(query tsquery, index regclass, attribute int2) RETURNS elacsym_query
	AS 'MODULE_PATHNAME', 'elac_text_query_bind_tsquery' LANGUAGE C STABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_bind_support;
COMMENT ON FUNCTION elacsym_bind(tsquery, regclass, int2) IS 'tsquery bound to a BM25 column of an index; the planner makes these calls';

CREATE FUNCTION elacsym_bind(query tsquery, index regclass, attributes int2[]) RETURNS elacsym_query
	AS 'MODULE_PATHNAME', 'elac_text_query_bind_tsquery' LANGUAGE C STABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_bind_support;
COMMENT ON FUNCTION elacsym_bind(tsquery, regclass, int2[]) IS 'tsquery bound to several BM25 columns of an index; the planner makes these calls';

CREATE FUNCTION elacsym_bind(query elacsym_query, index regclass, attribute int2) RETURNS elacsym_query
	AS 'MODULE_PATHNAME', 'elac_text_query_bind_query' LANGUAGE C STABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_bind_support;
COMMENT ON FUNCTION elacsym_bind(elacsym_query, regclass, int2) IS 'query bound to a BM25 column of an index; the planner makes these calls';

CREATE FUNCTION elacsym_bind(query elacsym_query, index regclass, attributes int2[]) RETURNS elacsym_query
	AS 'MODULE_PATHNAME', 'elac_text_query_bind_query' LANGUAGE C STABLE STRICT PARALLEL SAFE
	SUPPORT elacsym_bind_support;
COMMENT ON FUNCTION elacsym_bind(elacsym_query, regclass, int2[]) IS 'query bound to several BM25 columns of an index; the planner makes these calls';

CREATE FUNCTION elacsym_text_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'elac_text_query_support' LANGUAGE C STRICT;

-- the forms that users write; the planner turns them into the bound forms
CREATE FUNCTION elacsym_text_distance(text, text) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_text_query_unbound' LANGUAGE C STABLE PARALLEL RESTRICTED COST 100
	SUPPORT elacsym_text_support;
COMMENT ON FUNCTION elacsym_text_distance(text, text) IS 'implementation of <@> operator';

CREATE FUNCTION elacsym_text_distance(text, tsquery) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_text_query_unbound' LANGUAGE C STABLE PARALLEL RESTRICTED COST 100
	SUPPORT elacsym_text_support;
COMMENT ON FUNCTION elacsym_text_distance(text, tsquery) IS 'implementation of <@> operator';

CREATE FUNCTION elacsym_text_distance(text[], text) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_text_query_unbound' LANGUAGE C STABLE PARALLEL RESTRICTED COST 100
	SUPPORT elacsym_text_support;
COMMENT ON FUNCTION elacsym_text_distance(text[], text) IS 'implementation of <@> operator';

CREATE FUNCTION elacsym_text_distance(text[], tsquery) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_text_query_unbound' LANGUAGE C STABLE PARALLEL RESTRICTED COST 100
	SUPPORT elacsym_text_support;
COMMENT ON FUNCTION elacsym_text_distance(text[], tsquery) IS 'implementation of <@> operator';

CREATE FUNCTION elacsym_text_distance(tsvector, text) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_text_query_unbound' LANGUAGE C STABLE PARALLEL RESTRICTED COST 100
	SUPPORT elacsym_text_support;
COMMENT ON FUNCTION elacsym_text_distance(tsvector, text) IS 'implementation of <@> operator';

CREATE FUNCTION elacsym_text_distance(tsvector, tsquery) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_text_query_unbound' LANGUAGE C STABLE PARALLEL RESTRICTED COST 100
	SUPPORT elacsym_text_support;
COMMENT ON FUNCTION elacsym_text_distance(tsvector, tsquery) IS 'implementation of <@> operator';

CREATE FUNCTION elacsym_text_distance(tsvector[], text) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_text_query_unbound' LANGUAGE C STABLE PARALLEL RESTRICTED COST 100
	SUPPORT elacsym_text_support;
COMMENT ON FUNCTION elacsym_text_distance(tsvector[], text) IS 'implementation of <@> operator';

CREATE FUNCTION elacsym_text_distance(tsvector[], tsquery) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_text_query_unbound' LANGUAGE C STABLE PARALLEL RESTRICTED COST 100
	SUPPORT elacsym_text_support;
COMMENT ON FUNCTION elacsym_text_distance(tsvector[], tsquery) IS 'implementation of <@> operator';

CREATE FUNCTION elacsym_text_score(text, elacsym_query) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_text_query_score_text' LANGUAGE C STABLE PARALLEL RESTRICTED COST 100
	SUPPORT elacsym_text_support;
COMMENT ON FUNCTION elacsym_text_score(text, elacsym_query) IS 'implementation of <@> operator';

CREATE FUNCTION elacsym_text_score(text[], elacsym_query) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_text_query_score_texts' LANGUAGE C STABLE PARALLEL RESTRICTED COST 100
	SUPPORT elacsym_text_support;
COMMENT ON FUNCTION elacsym_text_score(text[], elacsym_query) IS 'implementation of <@> operator';

CREATE FUNCTION elacsym_text_score(tsvector, elacsym_query) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_text_query_score_tsvector' LANGUAGE C STABLE PARALLEL RESTRICTED COST 100
	SUPPORT elacsym_text_support;
COMMENT ON FUNCTION elacsym_text_score(tsvector, elacsym_query) IS 'implementation of <@> operator';

CREATE FUNCTION elacsym_text_score(tsvector[], elacsym_query) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_text_query_score_tsvectors' LANGUAGE C STABLE PARALLEL RESTRICTED COST 100
	SUPPORT elacsym_text_support;
COMMENT ON FUNCTION elacsym_text_score(tsvector[], elacsym_query) IS 'implementation of <@> operator';

CREATE OPERATOR <@> (LEFTARG = text, RIGHTARG = text, FUNCTION = elacsym_text_distance);
COMMENT ON OPERATOR <@> (text, text) IS 'negative BM25 score of a text column for words';

CREATE OPERATOR <@> (LEFTARG = text, RIGHTARG = tsquery, FUNCTION = elacsym_text_distance);
COMMENT ON OPERATOR <@> (text, tsquery) IS 'negative BM25 score of a text column for a tsquery';

CREATE OPERATOR <@> (LEFTARG = text[], RIGHTARG = text, FUNCTION = elacsym_text_distance);
COMMENT ON OPERATOR <@> (text[], text) IS 'negative BM25 score of a text[] column, or of several text columns, for words';

CREATE OPERATOR <@> (LEFTARG = text[], RIGHTARG = tsquery, FUNCTION = elacsym_text_distance);
COMMENT ON OPERATOR <@> (text[], tsquery) IS 'negative BM25 score of a text[] column, or of several text columns, for a tsquery';

CREATE OPERATOR <@> (LEFTARG = tsvector, RIGHTARG = text, FUNCTION = elacsym_text_distance);
COMMENT ON OPERATOR <@> (tsvector, text) IS 'negative BM25 score of a tsvector column for words';

CREATE OPERATOR <@> (LEFTARG = tsvector, RIGHTARG = tsquery, FUNCTION = elacsym_text_distance);
COMMENT ON OPERATOR <@> (tsvector, tsquery) IS 'negative BM25 score of a tsvector column for a tsquery';

CREATE OPERATOR <@> (LEFTARG = tsvector[], RIGHTARG = text, FUNCTION = elacsym_text_distance);
COMMENT ON OPERATOR <@> (tsvector[], text) IS 'negative BM25 score of several tsvector columns for words';

CREATE OPERATOR <@> (LEFTARG = tsvector[], RIGHTARG = tsquery, FUNCTION = elacsym_text_distance);
COMMENT ON OPERATOR <@> (tsvector[], tsquery) IS 'negative BM25 score of several tsvector columns for a tsquery';

CREATE OPERATOR <@> (LEFTARG = text, RIGHTARG = elacsym_query, FUNCTION = elacsym_text_score);
COMMENT ON OPERATOR <@> (text, elacsym_query) IS 'negative BM25 score of a text column for a query with options';

CREATE OPERATOR <@> (LEFTARG = text[], RIGHTARG = elacsym_query, FUNCTION = elacsym_text_score);
COMMENT ON OPERATOR <@> (text[], elacsym_query) IS 'negative BM25 score of a text[] column, or of several text columns, for a query with options';

CREATE OPERATOR <@> (LEFTARG = tsvector, RIGHTARG = elacsym_query, FUNCTION = elacsym_text_score);
COMMENT ON OPERATOR <@> (tsvector, elacsym_query) IS 'negative BM25 score of a tsvector column for a query with options';

CREATE OPERATOR <@> (LEFTARG = tsvector[], RIGHTARG = elacsym_query, FUNCTION = elacsym_text_score);
COMMENT ON OPERATOR <@> (tsvector[], elacsym_query) IS 'negative BM25 score of several tsvector columns for a query with options';

-- ===== 4. access method and operator classes (src/am) =====

CREATE FUNCTION elacsym_handler(internal) RETURNS index_am_handler
	AS 'MODULE_PATHNAME' LANGUAGE C;

CREATE ACCESS METHOD elacsym TYPE INDEX HANDLER elacsym_handler;

COMMENT ON ACCESS METHOD elacsym IS 'hybrid search: vectors, BM25 and attributes in one index';

CREATE FUNCTION elacsym_vector_l2_traits(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE FUNCTION elacsym_vector_ip_traits(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE FUNCTION elacsym_vector_cosine_traits(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE FUNCTION elacsym_halfvec_l2_traits(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE FUNCTION elacsym_halfvec_ip_traits(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE FUNCTION elacsym_halfvec_cosine_traits(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE FUNCTION elacsym_text_traits(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE FUNCTION elacsym_tsvector_traits(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE FUNCTION elacsym_text_array_traits(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE FUNCTION elacsym_text_options(internal) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE FUNCTION elacsym_tsvector_options(internal) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

-- vectors: one ordering operator each

CREATE OPERATOR CLASS vector_l2_ops DEFAULT FOR TYPE vector USING elacsym AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY pg_catalog.float_ops,
	FUNCTION 1 elacsym_vector_l2_traits(internal);

CREATE OPERATOR CLASS vector_ip_ops FOR TYPE vector USING elacsym AS
	OPERATOR 1 <#> (vector, vector) FOR ORDER BY pg_catalog.float_ops,
	FUNCTION 1 elacsym_vector_ip_traits(internal);

CREATE OPERATOR CLASS vector_cosine_ops FOR TYPE vector USING elacsym AS
	OPERATOR 1 <=> (vector, vector) FOR ORDER BY pg_catalog.float_ops,
	FUNCTION 1 elacsym_vector_cosine_traits(internal);

CREATE OPERATOR CLASS halfvec_l2_ops DEFAULT FOR TYPE halfvec USING elacsym AS
	OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY pg_catalog.float_ops,
	FUNCTION 1 elacsym_halfvec_l2_traits(internal);

CREATE OPERATOR CLASS halfvec_ip_ops FOR TYPE halfvec USING elacsym AS
	OPERATOR 1 <#> (halfvec, halfvec) FOR ORDER BY pg_catalog.float_ops,
	FUNCTION 1 elacsym_halfvec_ip_traits(internal);

CREATE OPERATOR CLASS halfvec_cosine_ops FOR TYPE halfvec USING elacsym AS
	OPERATOR 1 <=> (halfvec, halfvec) FOR ORDER BY pg_catalog.float_ops,
	FUNCTION 1 elacsym_halfvec_cosine_traits(internal);

-- BM25 fields: strategy 1 is the score of one column, 2 that of several, 3 a condition
CREATE OPERATOR CLASS text_bm25_ops DEFAULT FOR TYPE text USING elacsym AS
	OPERATOR 1 <@> (text, elacsym_query) FOR ORDER BY pg_catalog.float_ops,
	OPERATOR 3 pg_catalog.@@ (text, tsquery),
	FUNCTION 1 elacsym_text_traits(internal),
	FUNCTION 2 elacsym_text_options(internal);

CREATE OPERATOR CLASS tsvector_bm25_ops DEFAULT FOR TYPE tsvector USING elacsym AS
	OPERATOR 1 <@> (tsvector, elacsym_query) FOR ORDER BY pg_catalog.float_ops,
	OPERATOR 3 pg_catalog.@@ (tsvector, tsquery),
	FUNCTION 1 elacsym_tsvector_traits(internal),
	FUNCTION 2 elacsym_tsvector_options(internal);

CREATE OPERATOR CLASS text_array_bm25_ops FOR TYPE text[] USING elacsym AS
	OPERATOR 1 <@> (text[], elacsym_query) FOR ORDER BY pg_catalog.float_ops,
	FUNCTION 1 elacsym_text_array_traits(internal),
	FUNCTION 2 elacsym_text_options(internal);

-- several fields at once, ARRAY[title, body] <@> query: the custom scan's business
ALTER OPERATOR FAMILY text_bm25_ops USING elacsym ADD
	OPERATOR 2 <@> (text[], elacsym_query) FOR ORDER BY pg_catalog.float_ops,
	OPERATOR 3 pg_catalog.@@ (text, text);

ALTER OPERATOR FAMILY tsvector_bm25_ops USING elacsym ADD
	OPERATOR 2 <@> (tsvector[], elacsym_query) FOR ORDER BY pg_catalog.float_ops;

-- attributes: strategies 1 to 5 are btree's, 6 is <>, 7 LIKE, 8 @>, 9 &&, 10 <@, 11 ^@, 12 ?, 13 ?|, 14 ?&,
-- 15 <<, 16 <<=, 17 >>, 18 >>=, 19 &<, 20 &>, 21 -|-, 22 ILIKE

CREATE OPERATOR FAMILY bool_ops USING elacsym;

CREATE OPERATOR CLASS bool_ops DEFAULT FOR TYPE bool USING elacsym FAMILY bool_ops AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR FAMILY integer_ops USING elacsym;

CREATE OPERATOR CLASS int2_ops DEFAULT FOR TYPE int2 USING elacsym FAMILY integer_ops AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR CLASS int4_ops DEFAULT FOR TYPE int4 USING elacsym FAMILY integer_ops AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR CLASS int8_ops DEFAULT FOR TYPE int8 USING elacsym FAMILY integer_ops AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

ALTER OPERATOR FAMILY integer_ops USING elacsym ADD
	OPERATOR 1 < (int2, int4),
	OPERATOR 2 <= (int2, int4),
	OPERATOR 3 = (int2, int4),
	OPERATOR 4 >= (int2, int4),
	OPERATOR 5 > (int2, int4),
	OPERATOR 6 <> (int2, int4),
	OPERATOR 1 < (int2, int8),
	OPERATOR 2 <= (int2, int8),
	OPERATOR 3 = (int2, int8),
	OPERATOR 4 >= (int2, int8),
	OPERATOR 5 > (int2, int8),
	OPERATOR 6 <> (int2, int8),
	OPERATOR 1 < (int4, int2),
	OPERATOR 2 <= (int4, int2),
	OPERATOR 3 = (int4, int2),
	OPERATOR 4 >= (int4, int2),
	OPERATOR 5 > (int4, int2),
	OPERATOR 6 <> (int4, int2),
	OPERATOR 1 < (int4, int8),
	OPERATOR 2 <= (int4, int8),
	OPERATOR 3 = (int4, int8),
	OPERATOR 4 >= (int4, int8),
	OPERATOR 5 > (int4, int8),
	OPERATOR 6 <> (int4, int8),
	OPERATOR 1 < (int8, int2),
	OPERATOR 2 <= (int8, int2),
	OPERATOR 3 = (int8, int2),
	OPERATOR 4 >= (int8, int2),
	OPERATOR 5 > (int8, int2),
	OPERATOR 6 <> (int8, int2),
	OPERATOR 1 < (int8, int4),
	OPERATOR 2 <= (int8, int4),
	OPERATOR 3 = (int8, int4),
	OPERATOR 4 >= (int8, int4),
	OPERATOR 5 > (int8, int4),
	OPERATOR 6 <> (int8, int4);

CREATE OPERATOR FAMILY float_ops USING elacsym;

CREATE OPERATOR CLASS float4_ops DEFAULT FOR TYPE float4 USING elacsym FAMILY float_ops AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR CLASS float8_ops DEFAULT FOR TYPE float8 USING elacsym FAMILY float_ops AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

ALTER OPERATOR FAMILY float_ops USING elacsym ADD
	OPERATOR 1 < (float4, float8),
	OPERATOR 2 <= (float4, float8),
	OPERATOR 3 = (float4, float8),
	OPERATOR 4 >= (float4, float8),
	OPERATOR 5 > (float4, float8),
	OPERATOR 6 <> (float4, float8),
	OPERATOR 1 < (float8, float4),
	OPERATOR 2 <= (float8, float4),
	OPERATOR 3 = (float8, float4),
	OPERATOR 4 >= (float8, float4),
	OPERATOR 5 > (float8, float4),
	OPERATOR 6 <> (float8, float4);

CREATE OPERATOR FAMILY numeric_ops USING elacsym;

CREATE OPERATOR CLASS numeric_ops DEFAULT FOR TYPE numeric USING elacsym FAMILY numeric_ops AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR FAMILY uuid_ops USING elacsym;

CREATE OPERATOR CLASS uuid_ops DEFAULT FOR TYPE uuid USING elacsym FAMILY uuid_ops AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR FAMILY datetime_ops USING elacsym;

CREATE OPERATOR CLASS date_ops DEFAULT FOR TYPE date USING elacsym FAMILY datetime_ops AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR CLASS timestamp_ops DEFAULT FOR TYPE timestamp USING elacsym FAMILY datetime_ops AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR CLASS timestamptz_ops DEFAULT FOR TYPE timestamptz USING elacsym FAMILY datetime_ops AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

ALTER OPERATOR FAMILY datetime_ops USING elacsym ADD
	OPERATOR 1 < (date, timestamp),
	OPERATOR 2 <= (date, timestamp),
	OPERATOR 3 = (date, timestamp),
	OPERATOR 4 >= (date, timestamp),
	OPERATOR 5 > (date, timestamp),
	OPERATOR 6 <> (date, timestamp),
	OPERATOR 1 < (date, timestamptz),
	OPERATOR 2 <= (date, timestamptz),
	OPERATOR 3 = (date, timestamptz),
	OPERATOR 4 >= (date, timestamptz),
	OPERATOR 5 > (date, timestamptz),
	OPERATOR 6 <> (date, timestamptz),
	OPERATOR 1 < (timestamp, date),
	OPERATOR 2 <= (timestamp, date),
	OPERATOR 3 = (timestamp, date),
	OPERATOR 4 >= (timestamp, date),
	OPERATOR 5 > (timestamp, date),
	OPERATOR 6 <> (timestamp, date),
	OPERATOR 1 < (timestamp, timestamptz),
	OPERATOR 2 <= (timestamp, timestamptz),
	OPERATOR 3 = (timestamp, timestamptz),
	OPERATOR 4 >= (timestamp, timestamptz),
	OPERATOR 5 > (timestamp, timestamptz),
	OPERATOR 6 <> (timestamp, timestamptz),
	OPERATOR 1 < (timestamptz, date),
	OPERATOR 2 <= (timestamptz, date),
	OPERATOR 3 = (timestamptz, date),
	OPERATOR 4 >= (timestamptz, date),
	OPERATOR 5 > (timestamptz, date),
	OPERATOR 6 <> (timestamptz, date),
	OPERATOR 1 < (timestamptz, timestamp),
	OPERATOR 2 <= (timestamptz, timestamp),
	OPERATOR 3 = (timestamptz, timestamp),
	OPERATOR 4 >= (timestamptz, timestamp),
	OPERATOR 5 > (timestamptz, timestamp),
	OPERATOR 6 <> (timestamptz, timestamp);

-- text as an attribute; BM25 is the default for text, so these are named in CREATE INDEX
CREATE OPERATOR FAMILY text_ops USING elacsym;

CREATE OPERATOR CLASS text_ops FOR TYPE text USING elacsym FAMILY text_ops AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>,
	OPERATOR 7 ~~,
	OPERATOR 11 ^@,
	OPERATOR 22 ~~*;

CREATE OPERATOR CLASS varchar_ops FOR TYPE text USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>,
	OPERATOR 7 ~~,
	OPERATOR 11 ^@,
	OPERATOR 22 ~~*;

CREATE OPERATOR CLASS array_ops DEFAULT FOR TYPE anyarray USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>,
	OPERATOR 8 @>,
	OPERATOR 9 &&,
	OPERATOR 10 <@;

CREATE OPERATOR CLASS enum_ops DEFAULT FOR TYPE anyenum USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR CLASS bpchar_ops DEFAULT FOR TYPE bpchar USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>,
	OPERATOR 7 ~~ (bpchar, text),
	OPERATOR 22 ~~* (bpchar, text);

CREATE OPERATOR CLASS name_ops DEFAULT FOR TYPE name USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>,
	OPERATOR 7 ~~ (name, text),
	OPERATOR 22 ~~* (name, text);

CREATE OPERATOR CLASS bytea_ops DEFAULT FOR TYPE bytea USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>,
	OPERATOR 7 ~~;

CREATE OPERATOR CLASS char_ops DEFAULT FOR TYPE "char" USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR CLASS oid_ops DEFAULT FOR TYPE oid USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR CLASS macaddr_ops DEFAULT FOR TYPE macaddr USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR CLASS macaddr8_ops DEFAULT FOR TYPE macaddr8 USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR CLASS interval_ops DEFAULT FOR TYPE interval USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR CLASS time_ops DEFAULT FOR TYPE time USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR CLASS timetz_ops DEFAULT FOR TYPE timetz USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>;

CREATE OPERATOR CLASS inet_ops DEFAULT FOR TYPE inet USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>,
	OPERATOR 9 &&,
	OPERATOR 15 <<,
	OPERATOR 16 <<=,
	OPERATOR 17 >>,
	OPERATOR 18 >>=;

CREATE OPERATOR CLASS range_ops DEFAULT FOR TYPE anyrange USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>,
	OPERATOR 8 @>,
	OPERATOR 8 @> (anyrange, anymultirange),
	OPERATOR 8 @> (anyrange, anyelement),
	OPERATOR 9 &&,
	OPERATOR 9 && (anyrange, anymultirange),
	OPERATOR 10 <@,
	OPERATOR 10 <@ (anyrange, anymultirange),
	OPERATOR 15 <<,
	OPERATOR 15 << (anyrange, anymultirange),
	OPERATOR 17 >>,
	OPERATOR 17 >> (anyrange, anymultirange),
	OPERATOR 19 &<,
	OPERATOR 19 &< (anyrange, anymultirange),
	OPERATOR 20 &>,
	OPERATOR 20 &> (anyrange, anymultirange),
	OPERATOR 21 -|-,
	OPERATOR 21 -|- (anyrange, anymultirange);

CREATE OPERATOR CLASS multirange_ops DEFAULT FOR TYPE anymultirange USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>,
	OPERATOR 8 @>,
	OPERATOR 8 @> (anymultirange, anyrange),
	OPERATOR 8 @> (anymultirange, anyelement),
	OPERATOR 9 &&,
	OPERATOR 9 && (anymultirange, anyrange),
	OPERATOR 10 <@,
	OPERATOR 10 <@ (anymultirange, anyrange),
	OPERATOR 15 <<,
	OPERATOR 15 << (anymultirange, anyrange),
	OPERATOR 17 >>,
	OPERATOR 17 >> (anymultirange, anyrange),
	OPERATOR 19 &<,
	OPERATOR 19 &< (anymultirange, anyrange),
	OPERATOR 20 &>,
	OPERATOR 20 &> (anymultirange, anyrange),
	OPERATOR 21 -|-,
	OPERATOR 21 -|- (anymultirange, anyrange);

CREATE OPERATOR CLASS jsonb_ops DEFAULT FOR TYPE jsonb USING elacsym AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	OPERATOR 6 <>,
	OPERATOR 8 @>,
	OPERATOR 10 <@,
	OPERATOR 12 ? (jsonb, text),
	OPERATOR 13 ?| (jsonb, text[]),
	OPERATOR 14 ?& (jsonb, text[]);

-- ===== 5. functions and views (src/api) =====

CREATE FUNCTION elacsym_search(
	relation anyelement,
	vector anycompatible DEFAULT NULL::pg_catalog.text,
	text pg_catalog.text DEFAULT NULL,
	filter pg_catalog.text DEFAULT NULL,
	k integer DEFAULT 10,
	vector_weight float8 DEFAULT 1,
	text_weight float8 DEFAULT 1,
	vector_window integer DEFAULT NULL,
	text_window integer DEFAULT NULL,
	rrf_k integer DEFAULT 60,
	index regclass DEFAULT NULL)
	RETURNS TABLE (doc anyelement, score float8, vector_rank integer, vector_distance float8,
				   text_rank integer, text_score float8)
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION elacsym_search(anyelement, anycompatible, pg_catalog.text, pg_catalog.text, integer, float8, float8, integer, integer, integer, regclass)
	IS 'hybrid search: vector and BM25 legs under one filter, fused by reciprocal rank';

CREATE FUNCTION elacsym_flush(index regclass) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION elacsym_flush(regclass) IS 'moves the delta of an elacsym index into a segment; rows moved';

CREATE FUNCTION elacsym_compact(index regclass, everything boolean DEFAULT true) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION elacsym_compact(regclass, boolean) IS 'flushes and merges segments, all into one or as the size-tiered policy says; merges done';

CREATE FUNCTION elacsym_recall(index regclass, queries vector[] DEFAULT NULL, k integer DEFAULT 10,
							   samples integer DEFAULT 100,
							   OUT recall float8, OUT measured bigint, OUT source pg_catalog.text,
							   OUT documents float8, OUT milliseconds float8)
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL RESTRICTED;
COMMENT ON FUNCTION elacsym_recall(regclass, vector[], integer, integer)
	IS 'recall that vector queries obtain at the session''s settings, against exact search: on queries given, those collected, or rows';

CREATE FUNCTION elacsym_calibrate(index regclass) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION elacsym_calibrate(regclass) IS 'measures how far vector queries on an elacsym index have to look for a recall; queries measured';

CREATE FUNCTION elacsym_calibration(index regclass)
	RETURNS TABLE (index_oid regclass, source pg_catalog.text, queries bigint, rows float8, recall real,
				   patience float8, scanned float8)
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 24;
COMMENT ON FUNCTION elacsym_calibration(regclass) IS 'what the last calibration of an elacsym index found: documents scored for a recall, by number of rows that a filter lets pass';

CREATE FUNCTION elacsym_offload(index regclass, server name DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION elacsym_offload(regclass, name) IS 'moves segments to the store of the index or to the server named; segments moved';

CREATE FUNCTION elacsym_onload(index regclass) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION elacsym_onload(regclass) IS 'brings segments back from the store; segments moved';

CREATE FUNCTION elacsym_verify(index regclass) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION elacsym_verify(regclass) IS 'checks everything that an elacsym index stores; raises an error at the first fault';

CREATE FUNCTION elacsym_segments(index regclass)
	RETURNS TABLE (index_oid regclass, segment bigint, level integer, documents bigint, dead bigint,
				   home pg_catalog.text, local_bytes bigint, head_bytes bigint, body_bytes bigint)
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 10;
COMMENT ON FUNCTION elacsym_segments(regclass) IS 'segments of an elacsym index';

CREATE FUNCTION elacsym_sections(index regclass)
	RETURNS TABLE (index_oid regclass, segment bigint, kind pg_catalog.text, column_name pg_catalog.text,
				   head_bytes bigint, body_bytes bigint)
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 50;
COMMENT ON FUNCTION elacsym_sections(regclass) IS 'sections of the segments of an elacsym index';

CREATE FUNCTION elacsym_lists(index regclass)
	RETURNS TABLE (index_oid regclass, segment bigint, documents bigint, lists bigint, mean float8, p99 bigint,
				   longest bigint)
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 10;
COMMENT ON FUNCTION elacsym_lists(regclass) IS 'lengths of the lists of vectors of the segments of an elacsym index';

CREATE FUNCTION elacsym_delta(index regclass)
	RETURNS TABLE (index_oid regclass, documents bigint, frozen bigint, lanes integer, bytes bigint)
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 1;
COMMENT ON FUNCTION elacsym_delta(regclass) IS 'delta of an elacsym index';

CREATE FUNCTION elacsym_cache(
	OUT hits bigint, OUT misses bigint, OUT evictions bigint, OUT pages bigint, OUT bytes bigint, OUT bytes_limit bigint,
	OUT gets bigint, OUT get_bytes bigint, OUT waves bigint, OUT puts bigint, OUT retries bigint)
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION elacsym_cache() IS 'this session''s cache of offloaded segments and its requests to stores';

-- ===== 6. fusion of ranked lists (src/types/fusion.c, src/am/fusion_path.c) =====

CREATE FUNCTION elacsym_fusion_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'elac_fusion_support' LANGUAGE C;
COMMENT ON FUNCTION elacsym_fusion_support(internal) IS 'planner support of fusion functions';

CREATE FUNCTION elacsym_rrf(leg1 float8, leg2 float8, weights float8[] DEFAULT NULL, k integer DEFAULT 60, "window" integer DEFAULT NULL) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_fusion_rrf' LANGUAGE C STABLE PARALLEL RESTRICTED
	SUPPORT elacsym_fusion_support;
COMMENT ON FUNCTION elacsym_rrf(float8, float8, float8[], integer, integer) IS 'negative score of a row by reciprocal rank fusion of two distances';

CREATE FUNCTION elacsym_rrf(legs float8[], weights float8[] DEFAULT NULL, k integer DEFAULT 60, "window" integer DEFAULT NULL) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_fusion_rrf_array' LANGUAGE C STABLE PARALLEL RESTRICTED
	SUPPORT elacsym_fusion_support;
COMMENT ON FUNCTION elacsym_rrf(float8[], float8[], integer, integer) IS 'negative score of a row by reciprocal rank fusion of ARRAY[distance, ...]';

CREATE FUNCTION elacsym_linear(leg1 float8, leg2 float8, weights float8[] DEFAULT NULL, normalization text DEFAULT 'max', "window" integer DEFAULT NULL) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_fusion_linear' LANGUAGE C STABLE PARALLEL RESTRICTED
	SUPPORT elacsym_fusion_support;
COMMENT ON FUNCTION elacsym_linear(float8, float8, float8[], text, integer) IS 'negative score of a row: weighted sum of the normalised similarities of two distances';

CREATE FUNCTION elacsym_linear(legs float8[], weights float8[] DEFAULT NULL, normalization text DEFAULT 'max', "window" integer DEFAULT NULL) RETURNS float8
	AS 'MODULE_PATHNAME', 'elac_fusion_linear_array' LANGUAGE C STABLE PARALLEL RESTRICTED
	SUPPORT elacsym_fusion_support;
COMMENT ON FUNCTION elacsym_linear(float8[], float8[], text, integer) IS 'negative score of a row: weighted sum of the normalised similarities of ARRAY[distance, ...]';

CREATE FUNCTION elacsym_legs(fused float8) RETURNS float8[]
	AS 'MODULE_PATHNAME', 'elac_fusion_legs' LANGUAGE C STABLE PARALLEL RESTRICTED
	SUPPORT elacsym_fusion_support;
COMMENT ON FUNCTION elacsym_legs(float8) IS 'rank and value in each leg of a call of elacsym_rrf() or elacsym_linear(), NULL where the leg does not rank the row';

-- ===== 7. searches asked for in JSON (src/api/json_rows.c) =====

CREATE FUNCTION elacsym_query("table" regclass, request jsonb) RETURNS SETOF jsonb
	AS 'MODULE_PATHNAME', 'elac_json_query' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION elacsym_query(regclass, jsonb) IS 'search asked for in JSON: rank_by, filters, top_k, include_attributes; a row is a jsonb object';
