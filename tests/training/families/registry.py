"""Every row of the matrix: to add a family, add its row to a file here, and a new file to this list."""

from tests.training.families import classifiers, colberts, encoders, prompted, refused, sparse
from tests.training.families.row import Refused, Row, Served

__all__ = ["REFUSED", "ROWS", "SERVED"]

ROWS: tuple[Row, ...] = (
    *classifiers.ROWS,
    *prompted.ROWS,
    *encoders.ROWS,
    *colberts.ROWS,
    *sparse.ROWS,
    *refused.ROWS,
)
SERVED = tuple(row for row in ROWS if isinstance(row, Served))
REFUSED = tuple(row for row in ROWS if isinstance(row, Refused))
