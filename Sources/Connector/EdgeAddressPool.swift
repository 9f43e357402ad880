/// Which edge address each HA connection uses (tunnel-protocol section 1.2, for addresses given by `--edge`).
///
/// An address slot serves one connection at a time; the same address given twice is two slots. A connection that must go
/// elsewhere takes the free slot it has not used for longest; when no other is free it keeps its own, since a connector
/// with a single edge has nowhere else to go.
package struct EdgeAddressPool: Sendable {
    private var slots: [Slot]
    private var turn = 0

    private struct Slot {
        var address: String
        var user: Int?
        var lastUsed = 0
    }

    /// - Parameter addresses: `host:port`, in the order given.
    package init(_ addresses: [String]) {
        slots = addresses.map { Slot(address: $0) }
    }

    package var count: Int { slots.count }

    /// The address for a connection: the one it holds, else a free one.
    package mutating func address(forConnection index: Int) -> String? {
        if let held = slots.firstIndex(where: { $0.user == index }) { return slots[held].address }
        guard let free = leastRecentlyUsed(except: nil) else { return nil }
        return take(free, for: index)
    }

    /// The connection could not use its address: gives it back and takes another, or the same when there is no other.
    package mutating func addressFailed(forConnection index: Int) -> String? {
        let held = slots.firstIndex { $0.user == index }
        guard let next = leastRecentlyUsed(except: held) else { return address(forConnection: index) }
        if let held { slots[held].user = nil }
        return take(next, for: index)
    }

    private mutating func take(_ slot: Int, for index: Int) -> String {
        turn += 1
        slots[slot].user = index
        slots[slot].lastUsed = turn
        return slots[slot].address
    }

    private func leastRecentlyUsed(except held: Int?) -> Int? {
        slots.indices
            .filter { $0 != held && slots[$0].user == nil }
            .min { slots[$0].lastUsed < slots[$1].lastUsed }
    }
}
