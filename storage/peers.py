"""What the other devices of a node measured last: what one that is slower than they are is held
against."""

from storage.store import Store
from storage.types import Reading

# From the few devices of a host to their series: by its signal each of 10,000 would be visited.
PEERS = """
    SELECT other.target, at, value, sigma, origin, note, setup, other.family
      FROM families AS own
      CROSS JOIN families AS other
              ON other.host = own.host AND other.family = own.family AND other.target <> own.target
      CROSS JOIN series
              ON series.target = other.target
             AND series.signal = (SELECT id FROM signals WHERE name = ?)
      CROSS JOIN samples
              ON samples.series = series.id
             AND at = (SELECT at FROM samples
                        WHERE series = series.id AND origin = 'measured'
                        ORDER BY at DESC LIMIT 1)
     WHERE own.target = ? AND own.host <> ''
     ORDER BY other.target
"""


def peers(store: Store, signal: str, target: str) -> tuple[Reading, ...]:
    """The last measured reading of a signal on every other device of the target's family that was
    last seen on the same host, by target; none where the target's family or host is not known."""
    rows = store.connection.execute(PEERS, (signal, target))
    return tuple(
        Reading(
            signal,
            name,
            value,
            origin,
            sigma,
            at / 1000,
            note,
            family,
            store.numbers.document(setup),
        )
        for name, at, value, sigma, origin, note, setup, family in rows
    )
