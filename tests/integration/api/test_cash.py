"""Cash and the journal over HTTP: shapes, keys, filters, pages and what is refused."""

import asyncio
import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import undefer

from paperdesk.ledger.journal import canonical_bytes
from paperdesk.models import CashMovement, PositionAdjustment, Trade
from support.desk import DeskClient
from support.rows import row
from support.trading import row_counts
