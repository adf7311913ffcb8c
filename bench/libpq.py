"""libpq through ctypes: connections, COPY, prepared statements with binary parameters.

Only what a benchmark needs: one call that does nothing but execute a prepared
statement whose parameters lie ready in memory, so that timing it times the
server and libpq and hardly any Python.
"""
import ctypes
import ctypes.util
import struct

import numpy as np

CONNECTION_OK = 0
GOOD_RESULTS = (1, 2, 3, 4)  # PGRES_COMMAND_OK, _TUPLES_OK, _COPY_OUT, _COPY_IN

_lib = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
_ptr, _str, _int = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int


def _declare(name, result, *arguments):
    function = getattr(_lib, name)
    function.restype = result
    function.argtypes = arguments
    return function


_connectdb = _declare("PQconnectdb", _ptr, _str)
_finish = _declare("PQfinish", None, _ptr)
_status = _declare("PQstatus", _int, _ptr)
_error = _declare("PQerrorMessage", _str, _ptr)
_backend_pid = _declare("PQbackendPID", _int, _ptr)
_exec = _declare("PQexec", _ptr, _ptr, _str)
_prepare = _declare("PQprepare", _ptr, _ptr, _str, _str, _int, _ptr)
_exec_prepared = _declare("PQexecPrepared", _ptr, _ptr, _str, _int, _ptr, _ptr, _ptr, _int)
_result_status = _declare("PQresultStatus", _int, _ptr)
_result_error = _declare("PQresultErrorMessage", _str, _ptr)
_clear = _declare("PQclear", None, _ptr)
_ntuples = _declare("PQntuples", _int, _ptr)
_nfields = _declare("PQnfields", _int, _ptr)
_getvalue = _declare("PQgetvalue", _str, _ptr, _int, _int)
_put_data = _declare("PQputCopyData", _int, _ptr, _str, _int)
_put_end = _declare("PQputCopyEnd", _int, _ptr, _str)
_get_result = _declare("PQgetResult", _ptr, _ptr)
_set_notices = _declare("PQsetNoticeProcessor", _ptr, _ptr, _ptr, _ptr)
_notice_type = ctypes.CFUNCTYPE(None, _ptr, _str)
_ignore_notice = _notice_type(lambda argument, message: None)


class ServerError(Exception):
    pass


class Call:
    """A prepared statement with its parameters: text as str, binary as bytes."""

    def __init__(self, connection, name, parameters):
        raw = [p if isinstance(p, bytes) else p.encode() + b"\0" for p in parameters]
        count = len(raw)
        self._buffers = [ctypes.create_string_buffer(r, len(r)) for r in raw]
        values = (_ptr * count)(*[ctypes.addressof(b) for b in self._buffers])
        lengths = (_int * count)(*[len(r) for r in raw])
        formats = (_int * count)(*[int(isinstance(p, bytes)) for p in parameters])
        self._arguments = (connection.handle, name, count, values, lengths, formats, 0)

    def run(self):
        """Executes; the result must be given to Connection.rows()."""
        return _exec_prepared(*self._arguments)


class Connection:
    def __init__(self, conninfo):
        self.handle = _connectdb(conninfo.encode())
        if _status(self.handle) != CONNECTION_OK:
            raise ServerError(_error(self.handle).decode())
        _set_notices(self.handle, ctypes.cast(_ignore_notice, _ptr), None)
        self.pid = _backend_pid(self.handle)
        self._prepared = 0

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        _finish(self.handle)

    def rows(self, result):
        """Rows of a result as tuples of strings ("" for NULL); frees it."""
        if _result_status(result) not in GOOD_RESULTS:
            message = _result_error(result).decode().strip()
            _clear(result)
            raise ServerError(message)
        width = range(_nfields(result))
        rows = [tuple(_getvalue(result, r, c).decode() for c in width) for r in range(_ntuples(result))]
        _clear(result)
        return rows

    def execute(self, sql):
        return self.rows(_exec(self.handle, sql.encode()))

    def value(self, sql):
        return self.execute(sql)[0][0]

    def prepare(self, sql):
        """A function from parameters to a Call."""
        self._prepared += 1
        name = b"s%d" % self._prepared
        self.rows(_prepare(self.handle, name, sql.encode(), 0, None))
        return lambda *parameters: Call(self, name, parameters)

    def copy(self, sql, chunks):
        """COPY ... FROM STDIN of an iterable of bytes."""
        self.execute(sql)
        for chunk in chunks:
            if _put_data(self.handle, chunk, len(chunk)) != 1:
                raise ServerError(_error(self.handle).decode())
        _put_end(self.handle, None)
        while True:
            result = _get_result(self.handle)
            if not result:
                return
            self.rows(result)


def vector_binary(vector):
    """Binary form of type vector: dimensions, 0, then the components."""
    return struct.pack(">hh", len(vector), 0) + vector.astype(">f4").tobytes()


def copy_binary(rows):
    """Rows of int, str, bytes as chunks of COPY's binary format."""
    chunk = [b"PGCOPY\n\xff\r\n\0" + bytes(8)]
    for row in rows:
        chunk.append(struct.pack(">h", len(row)))
        for field in row:
            if isinstance(field, (int, np.integer)):
                chunk.append(struct.pack(">ii", 4, field))
            else:
                raw = field.encode() if isinstance(field, str) else field
                chunk.append(struct.pack(">i", len(raw)))
                chunk.append(raw)
        if len(chunk) >= 2000:
            yield b"".join(chunk)
            chunk = []
    chunk.append(struct.pack(">h", -1))
    yield b"".join(chunk)
