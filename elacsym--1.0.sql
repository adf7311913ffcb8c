/* elacsym--1.0.sql */

-- complain if the script is sourced in psql rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION elacsym" to load this file. \quit

-- ===== 1. vector types (src/types) =====

-- ===== 2. stores (src/storage, src/api/store_validator.c) =====

-- ===== 3. text queries (src/types/text_query.c) =====

-- ===== 4. access method and operator classes (src/am) =====

-- ===== 5. functions and views (src/api) =====
