package import EdgeTransport

/// Which edge address each HA connection uses (tunnel-protocol section 1.2).
///
/// An address slot serves one connection at a time. Looked-up addresses lie in two regions, each of which uses one family
/// at a time: that of its first address, until IPv6 leads nowhere. A connection that must go elsewhere takes a free slot
/// that has not failed, or else the one unused for longest; when no other is free it keeps its own, since a connector
/// with a single edge has nowhere else to go. A value; time is counted from any fixed point.
package struct EdgeAddressPool: Sendable {
    /// How long a region does without IPv6 after it led nowhere.
    static let timeWithoutIPv6 = Duration.seconds(600)

    /// What a connection is to dial.
    package struct Choice: Sendable, Equatable {
        package var endpoint: EdgeEndpoint
        /// It could not be used since it was last looked up: perhaps the edge has moved.
        package var hasFailed: Bool
    }

    private struct Slot {
        var entry: EdgeAddresses.Entry
        var region: Int
        var user: Int?
        var lastUsed = 0
        /// Which of the entry's endpoints is next.
        var turn = 0
        var hasFailed = false
        /// No longer among those looked up; kept while a connection uses it.
        var isRetired = false

        var endpoint: EdgeEndpoint { entry.endpoints[turn % entry.endpoints.count] }
    }

    private struct Region {
        /// Nil where families do not matter.
        var primary: EdgeAddresses.Family?
        var secondarySince: Duration?

        var active: EdgeAddresses.Family? { secondarySince == nil ? primary : primary?.other }
    }

    private var slots: [Slot] = []
    private var regions = [Region(), Region()]
    private var turn = 0

    package init() {}

    /// Connections that can have an address now.
    package var count: Int { slots.indices.filter { isActive($0) || slots[$0].user != nil }.count }

    // MARK: Lookups

    /// Puts what was looked up in the place of what was known. Connections keep what they hold, and the addresses of a
    /// name that could not be looked up this time stay as they were.
    package mutating func replace(by found: EdgeAddresses) {
        var old = slots
        slots = []
        for (region, entries) in found.regions.enumerated() {
            for entry in entries {
                var slot = Slot(entry: entry, region: region)
                if let known = old.firstIndex(where: { Set($0.entry.endpoints) == Set(entry.endpoints) }) {
                    let before = old.remove(at: known)
                    (slot.user, slot.lastUsed, slot.turn) = (before.user, before.lastUsed, before.turn)
                }
                slots.append(slot)
            }
            if let primary = found.family(ofRegion: region), primary != regions[region].primary {
                regions[region] = Region(primary: primary)
            }
        }
        let answered = Set(found.regions.joined().compactMap(\.source))
        for slot in old {
            var slot = slot
            let isAnswered = slot.entry.source.map(answered.contains) ?? false
            slot.isRetired = slot.isRetired || isAnswered || found.missing == nil
            if slot.user != nil || !slot.isRetired { slots.append(slot) }
        }
        for region in regions.indices {
            // The other family is gone: IPv6 again is all there is.
            if let active = regions[region].active, !hasAddresses(region, active) {
                regions[region].secondarySince = nil
            }
        }
    }

    /// The host's network is another: what failed on the old one may work.
    package mutating func networkChanged() {
        for index in slots.indices { slots[index].hasFailed = false }
        for index in regions.indices { regions[index].secondarySince = nil }
    }

    // MARK: Connections

    /// When IPv6 that was left comes back, which may bring an address to a connection without one.
    package var nextReturn: Duration? { regions.compactMap(\.secondarySince).min().map { $0 + Self.timeWithoutIPv6 } }

    /// The address for a connection: the one it holds, else a free one.
    package mutating func address(
        forConnection index: Int, at now: Duration, using random: inout some RandomNumberGenerator
    ) -> Choice? {
        bringBackIPv6(at: now)
        let held = slots.firstIndex { $0.user == index }
        if let held, !slots[held].isRetired { return choice(held) }
        guard let free = pick(except: nil, using: &random) else { return held.map(choice) }
        return take(free, for: index)
    }

    /// The connection could not use its address: the next one it gets is another, if there is one.
    package mutating func addressFailed(
        forConnection index: Int, at now: Duration, using random: inout some RandomNumberGenerator
    ) {
        guard let held = slots.firstIndex(where: { $0.user == index }) else { return }
        slots[held].hasFailed = true
        slots[held].turn += 1
        bringBackIPv6(at: now)
        changeFamily(after: held, at: now)
        guard let next = pick(except: held, using: &random) else { return }
        slots[held].user = nil
        _ = take(next, for: index)
    }

    /// The connection works.
    package mutating func addressWorked(forConnection index: Int) {
        guard let held = slots.firstIndex(where: { $0.user == index }) else { return }
        slots[held].hasFailed = false
    }

    private mutating func take(_ slot: Int, for index: Int) -> Choice {
        turn += 1
        // A retired slot is of no use to anybody else.
        if let retired = slots.firstIndex(where: { $0.user == index && $0.isRetired }) { slots[retired].user = nil }
        slots[slot].user = index
        slots[slot].lastUsed = turn
        return choice(slot)
    }

    private func choice(_ slot: Int) -> Choice {
        Choice(endpoint: slots[slot].endpoint, hasFailed: slots[slot].hasFailed)
    }

    private func isActive(_ slot: Int) -> Bool {
        guard !slots[slot].isRetired else { return false }
        // A name for the proxy is of no family: it counts whichever the region uses.
        guard let family = slots[slot].entry.family, let active = regions[slots[slot].region].active else {
            return true
        }
        return family == active
    }

    /// A free slot: one that has not failed before one that has, of the region with more of those, unused for longest.
    private func pick(except held: Int?, using random: inout some RandomNumberGenerator) -> Int? {
        let free = slots.indices.filter { $0 != held && slots[$0].user == nil && isActive($0) }
        let good = free.filter { !slots[$0].hasFailed }
        guard !good.isEmpty else { return free.min { slots[$0].lastUsed < slots[$1].lastUsed } }
        let counts = regions.indices.map { region in good.count { slots[$0].region == region } }
        let most = counts.max() ?? 0
        let best = good.filter { counts[slots[$0].region] == most }
        let oldest = best.map { slots[$0].lastUsed }.min()
        return best.filter { slots[$0].lastUsed == oldest }.randomElement(using: &random)
    }

    /// IPv6 that leads nowhere is left for ten minutes where there is IPv4; IPv4 that then leads nowhere either, at once.
    private mutating func changeFamily(after failed: Int, at now: Duration) {
        let region = slots[failed].region
        guard let primary = regions[region].primary, let family = slots[failed].entry.family else { return }
        if regions[region].secondarySince != nil {
            if family == .v4 { regions[region].secondarySince = nil }
        } else if family == .v6, primary == .v6, hasAddresses(region, .v4) {
            regions[region].secondarySince = now
        }
    }

    private mutating func bringBackIPv6(at now: Duration) {
        for region in regions.indices {
            guard let since = regions[region].secondarySince, now - since >= Self.timeWithoutIPv6 else { continue }
            regions[region].secondarySince = nil
        }
    }

    private func hasAddresses(_ region: Int, _ family: EdgeAddresses.Family) -> Bool {
        slots.contains { $0.region == region && $0.entry.family == family && !$0.isRetired }
    }
}
