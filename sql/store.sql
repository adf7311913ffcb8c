-- Stores: options are checked when they are given, and by whom.
\set VERBOSITY default

-- type
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store;
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'tape');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (bucket 'search');

-- a directory
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path 'relative/path');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '/');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '/nowhere/../../etc');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '/nowhere', bucket 'search');
CREATE SERVER store_dir FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '/nowhere/elacsym');
DO $$
BEGIN
	EXECUTE format('CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type ''dir'', path %L)',
		current_setting('data_directory') || '/base/cold');
EXCEPTION WHEN invalid_parameter_value THEN
	RAISE NOTICE 'refused a path in the data directory';
END $$;

-- S3: every option
CREATE SERVER store_s3 FOREIGN DATA WRAPPER elacsym_store
	OPTIONS (type 's3', endpoint 'https://s3.example.com:9000/path', bucket 'my.bucket-1', region 'eu-central-1',
			 prefix 'a/b_c/', path_style 'on', ca_file '/etc/ssl/ca.pem');
CREATE SERVER store_amazon FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3', bucket 'search');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3', bucket 'search', path '/tmp');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3', bucket 'a');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3', bucket 'a/../b');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3', bucket 'search', region 'eu central');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3', bucket 'search', prefix '../up');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3', bucket 'search', prefix '/');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3', bucket 'search', path_style 'maybe');
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3', bucket 'search', ca_file 'ca.pem');

-- endpoints that are no URLs of servers
CREATE FUNCTION store_try_endpoint(endpoint text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE format('CREATE SERVER store_try FOREIGN DATA WRAPPER elacsym_store OPTIONS (type ''s3'', bucket ''search'', endpoint %L)', endpoint);
	DROP SERVER store_try;
	RETURN 'accepted';
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN hint;
END $$;
SELECT e, store_try_endpoint(e)
  FROM unnest(ARRAY['http://127.0.0.1:7480', 'HTTPS://S3.Example.Com/', 'https://[::1]:9000', 'http://h:80/p/q',
					's3.example.com', 'ftp://s3.example.com', 'file:///etc/passwd', 'https://', 'https://:80', 'https://h:',
					'https://h:0', 'https://h:65536', 'https://h:8x', 'https://user:secret@h', 'https://h/?a=b', 'https://h/#a',
					'https://h/a b', 'https://h/../b', 'https://[::1', 'https://h h', E'https://h\r\nX-Evil: 1', 'https://h%41']) e;
DROP FUNCTION store_try_endpoint;

-- credentials belong to user mappings and are never repeated in messages
CREATE SERVER store_bad FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3', bucket 'search', secret_access_key 'hush');
CREATE USER MAPPING FOR CURRENT_USER SERVER store_s3 OPTIONS (access_key_id 'AK');
CREATE USER MAPPING FOR CURRENT_USER SERVER store_s3 OPTIONS (access_key_id 'AK', secret_access_key '');
CREATE USER MAPPING FOR CURRENT_USER SERVER store_s3 OPTIONS (access_key_id 'AK', secret_access_key E'two\nlines');
CREATE USER MAPPING FOR CURRENT_USER SERVER store_s3 OPTIONS (access_key_id 'AK', secret_access_key 'SK', password 'x');
CREATE USER MAPPING FOR CURRENT_USER SERVER store_s3 OPTIONS (access_key_id 'AK', secret_access_key 'SK', session_token 'T');
ALTER USER MAPPING FOR CURRENT_USER SERVER store_s3 OPTIONS (DROP secret_access_key);
ALTER USER MAPPING FOR CURRENT_USER SERVER store_s3 OPTIONS (DROP session_token);
ALTER SERVER store_s3 OPTIONS (DROP type);
ALTER SERVER store_s3 OPTIONS (SET endpoint 'nonsense');

-- a store is no source of tables
ALTER FOREIGN DATA WRAPPER elacsym_store OPTIONS (ADD debug '1');
CREATE FOREIGN TABLE store_table (a int) SERVER store_s3 OPTIONS (x 'y');
CREATE FOREIGN TABLE store_table (a int) SERVER store_s3;
SELECT * FROM store_table;
DROP FOREIGN TABLE store_table;

-- files of the database server are for the privileged
CREATE ROLE regress_elac_store;
GRANT USAGE ON FOREIGN DATA WRAPPER elacsym_store TO regress_elac_store;
SET ROLE regress_elac_store;
CREATE SERVER store_own FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '/tmp/elacsym');
CREATE SERVER store_own FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3', bucket 'search', ca_file '/etc/passwd');
CREATE SERVER store_own FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3', bucket 'search');
ALTER SERVER store_own OPTIONS (SET type 'dir', DROP bucket, ADD path '/tmp/elacsym');
ALTER SERVER store_own OPTIONS (ADD ca_file '/etc/passwd');
SELECT elacsym_store_check('store_own');			-- no credentials, and none of the environment's
SELECT elacsym_store_check('store_dir');			-- no privilege
SELECT elacsym_store_check('store_nowhere');		-- no such server
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER store_dir TO regress_elac_store;
SET ROLE regress_elac_store;
SELECT * FROM elacsym_store_check('store_dir');
RESET ROLE;
GRANT pg_write_server_files TO regress_elac_store;
SET ROLE regress_elac_store;
SELECT * FROM elacsym_store_check('store_dir');		-- there is no such directory
RESET ROLE;

-- a server whose owner lost the privilege: its ca_file counts no longer
ALTER SERVER store_own OWNER TO regress_elac_store;
SET ROLE regress_elac_store;
ALTER SERVER store_own OPTIONS (ADD ca_file '/nowhere/ca.pem');
CREATE USER MAPPING FOR CURRENT_USER SERVER store_own OPTIONS (access_key_id 'AK', secret_access_key 'SK');
RESET ROLE;
REVOKE pg_write_server_files FROM regress_elac_store;
SET ROLE regress_elac_store;
SELECT * FROM elacsym_store_check('store_own');
RESET ROLE;

-- a server of another wrapper
CREATE FOREIGN DATA WRAPPER store_other;
CREATE SERVER store_foreign FOREIGN DATA WRAPPER store_other;
SELECT elacsym_store_check('store_foreign');

SET client_min_messages = warning;
DROP FOREIGN DATA WRAPPER store_other CASCADE;
DROP SERVER store_own CASCADE;
DROP SERVER store_s3 CASCADE;
DROP SERVER store_amazon;
DROP SERVER store_dir;
DROP OWNED BY regress_elac_store;
DROP ROLE regress_elac_store;
