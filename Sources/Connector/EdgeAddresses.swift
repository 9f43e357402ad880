package import EdgeTransport
import NIOCore

/// What a lookup found: the address slots of both regions. A value.
package struct EdgeAddresses: Sendable, Equatable {
    package enum Family: Sendable, Equatable {
        case v4, v6

        var other: Family { self == .v4 ? .v6 : .v4 }

        init?(_ endpoint: EdgeEndpoint) {
            guard case .address(let address) = endpoint else { return nil }
            switch address.protocol {
            case .inet: self = .v4
            case .inet6: self = .v6
            default: return nil
            }
        }
    }

    /// One slot: several endpoints where one name has several, which take turns.
    package struct Entry: Sendable, Equatable {
        package var endpoints: [EdgeEndpoint]
        /// Whose addresses these are, by the name that was looked up; nil where none was.
        var source: String?

        /// Of an address that stands alone.
        var family: Family? { endpoints.count == 1 ? Family(endpoints[0]) : nil }
    }

    /// Two of them.
    package var regions: [[Entry]]
    /// Named by `--edge`: families do not matter, then.
    package var isStatic: Bool
    /// Why something of what was looked for is missing.
    package var missing: String?
    /// Nothing here came from a name service, so looking again would find the same.
    package var isFinal = false

    /// The family that a region begins with.
    func family(ofRegion region: Int) -> Family? { isStatic ? nil : regions[region].first?.family }

    package var isEmpty: Bool { regions.allSatisfy(\.isEmpty) }

    /// Slots in the order given, which lie in the two regions by turns.
    package static func fixed(_ entries: [Entry], missing: String? = nil, isFinal: Bool = false) -> EdgeAddresses {
        var regions: [[Entry]] = [[], []]
        for (index, entry) in entries.enumerated() { regions[index % 2].append(entry) }
        return EdgeAddresses(regions: regions, isStatic: true, missing: missing, isFinal: isFinal)
    }
}
