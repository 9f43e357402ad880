/// What one HA connection reported.
package enum ConnectionEvent: Sendable, Equatable {
    /// Registered with an edge.
    case connected(index: UInt8, location: String, address: String)
    /// Was registered and is no more.
    case disconnected(index: UInt8)
    /// Saying goodbye: routing has stopped, streams drain.
    case unregistering(index: UInt8)
    /// Could not connect; another attempt follows.
    case reconnecting(index: UInt8, cause: String)
    /// So many addresses of the edge are known, a connection each at most.
    case addressesFound(Int)
    /// The edge refused the registration, or did not answer it.
    case registrationFailed(index: UInt8, isDuplicate: Bool)
    /// The edge was told our configuration, and took it or did not.
    case configurationPushed(index: UInt8, failed: Bool)
}

/// Which connections are up: what `/ready`, systemd and the pid file go by. A connection counts from its registration
/// until it is lost or says goodbye.
package struct Readiness: Sendable, Equatable {
    /// Why a connection is not there.
    private struct Trouble: Sendable, Equatable {
        var index: UInt8
        var cause: String
    }

    private var connected: [UInt8: String] = [:]
    /// Latest last, one for each connection; gone when it registers.
    private var troubles: [Trouble] = []
    /// Why what goes out to the edge does not come back through a connection; nil when it does, or when nobody tries.
    package private(set) var canaryFailure: String?
    /// Whether any connection ever registered.
    package private(set) var wasEverReady = false

    package init() {}

    package var readyConnections: Int { connected.count }

    package enum Change: Sendable, Equatable {
        case none
        /// The first registration of the process.
        case becameReadyFirst
        case changed
    }

    /// Takes one report in.
    package mutating func apply(_ event: ConnectionEvent) -> Change {
        let before = self
        switch event {
        case .connected(let index, let location, _):
            connected[index] = location
            troubles.removeAll { $0.index == index }
        case .disconnected(let index), .unregistering(let index):
            connected[index] = nil
        case .reconnecting(let index, let cause):
            connected[index] = nil
            troubles.removeAll { $0.index == index }
            troubles.append(Trouble(index: index, cause: cause))
        case .addressesFound, .registrationFailed, .configurationPushed:
            break
        }
        if !wasEverReady, !connected.isEmpty {
            wasEverReady = true
            return .becameReadyFirst
        }
        return self == before ? .none : .changed
    }

    /// Takes in what became of a canary.
    ///
    /// - Parameter failure: nil unless as many as count have failed, one after the other.
    package mutating func canaryAnswered(counting failure: String?) -> Change {
        defer { canaryFailure = failure }
        return (failure == nil) == (canaryFailure == nil) ? .none : .changed
    }

    /// One line for `systemctl status`: how many links, where to, and the latest trouble.
    ///
    /// - Parameter wanted: how many connections are kept.
    package func status(wanted: Int) -> String {
        guard !connected.isEmpty else {
            return troubles.last.map { "No connection to the edge: \($0.cause)" } ?? "Connecting to the edge"
        }
        let places = Dictionary(grouping: connected.values) { $0 }
            .map { "\($0.value.count)x\($0.key)" }
            .sorted()
        let links = "\(connected.count) of \(max(wanted, connected.count)) links: \(places.joined(separator: ", "))"
        if let canaryFailure { return "\(links); not ready, the canary does not come back: \(canaryFailure)" }
        return troubles.last.map { "\(links); link \($0.index): \($0.cause)" } ?? links
    }
}
