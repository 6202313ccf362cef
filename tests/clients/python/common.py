"""What the Python clients share: the login from the arguments, and how a value is printed with its type."""

import datetime
import decimal
import json
import sys
import uuid

mode, host, port, user, password, schema = sys.argv[1:]
port = int(port)


def plain(value):
    """A value with its type, as JSON can hold it; what is long as its length and a sum."""
    if isinstance(value, decimal.Decimal):
        return f"decimal {value}"
    if isinstance(value, (datetime.datetime, datetime.date, datetime.timedelta, datetime.time)):
        return f"{type(value).__name__} {value}"
    if isinstance(value, (bytes, bytearray)):
        return f"{type(value).__name__} {value.hex() if len(value) < 500 else (len(value), sum(value))}"
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, str) and len(value) > 5000:
        return f"str of {len(value)}, {sum(value.encode())}"
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)) or hasattr(value, "_mapping"):
        return [plain(one) for one in value]
    return value


def say(what, value):
    print(json.dumps({"what": what, "saw": plain(value)}, ensure_ascii=False, default=repr), flush=True)


BIG = [1 << 20, 17 << 20]


def big(size):
    """So many bytes, of which none is at the place of a like one."""
    return (bytes(range(256)) * (size // 256 + 1))[:size - 1] + b"!"
