// Round trips: from flat to flat, out of fills.

/** Closed positions, newest first: [{key, symbol, from, to, size, bought, sold, pnl, share}]; trades come newest first. */
export function roundTrips(trades) {
  const open = new Map();
  const closed = [];
  for (const trade of [...trades].reverse()) {
    const trip = open.get(trade.symbol) ?? { symbol: trade.symbol, from: trade.time, key: trade.id, size: 0, in: 0, paid: 0, out: 0, got: 0, fees: 0 };
    if (trade.side === "BUY") {
      trip.in += trade.size;
      trip.paid += trade.size * trade.price;
    } else {
      trip.out += trade.size;
      trip.got += trade.size * trade.price;
    }
    trip.fees += trade.fee;
    trip.size = Math.max(trip.size, trade.position_after);
    // A sale whose purchase is on a page that was not read is no whole trip.
    if (trip.in > 0) open.set(trade.symbol, trip);
    if (trade.position_after === 0) {
      open.delete(trade.symbol);
      if (trip.in > 0) closed.push(finished(trip, trade.time));
    }
  }
  return closed.reverse();
}

function finished(trip, to) {
  const pnl = trip.got - trip.paid - trip.fees;
  return { ...trip, to, bought: trip.paid / trip.in, sold: trip.got / trip.out, pnl, share: (pnl / trip.paid) * 100 };
}
