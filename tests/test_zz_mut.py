import mailtickets.desk.customers as C; C.SILENCE_TIMERS=(); from mailtickets.desk import silence; C.silence=type("S",(),{"end_silence":staticmethod(lambda t,s,n:t)})
from tests.test_properties import TestDesk  # noqa
