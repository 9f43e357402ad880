package import Logging
package import NIOCore
import NIOPosix
import ServiceHost
import Synchronization
import TunnelConfig

/// The forwarders of a daemon. Each is kept up whatever becomes of its listener; a changed configuration adds, removes and
/// changes them, and leaves the connections alone that are open.
///
/// Lives for one ``run(onChange:)``, which owns all listeners and connections.
package final class LocalForwarders: Sendable {
    /// Forwarders that have been checked and can be put in force.
    package struct Selection: Sendable {
        fileprivate var byPlace: [Place: PreparedForwarder] = [:]

        package var count: Int { byPlace.count }
    }

    /// How they are, all in all.
    package struct Condition: Sendable, Equatable {
        /// How many are to listen.
        package var wanted = 0
        package var listening = 0
        /// Why one of them does not.
        package var trouble: String?
        /// Whether each has listened or failed to.
        package var isSettled: Bool { listening + failed == wanted }
        fileprivate var failed = 0

        /// One line for `systemctl status`.
        package var status: String {
            let all = "Forwarding \(listening) of \(wanted) local address(es)"
            return trouble.map { "\(all): \($0)" } ?? all
        }
    }

    /// What stays the same listener while all else about a forwarder changes.
    fileprivate struct Place: Hashable, Sendable {
        var address: ListenAddress?
        var descriptor: Int32?
        /// Entries that leave their port to the system are told apart by their order.
        var number = 0
    }

    private struct State {
        var conditions: [Place: ForwarderListener.Condition] = [:]
        var wanted: Set<Place> = []
    }

    private let state = Mutex(State())
    private let selections = AsyncStream.makeStream(of: Selection.self, bufferingPolicy: .bufferingNewest(1))
    private let logger: Logger
    private let eventLoopGroup: any EventLoopGroup
    private let clock: any Clock<Duration>

    /// - Parameter eventLoopGroup: the process-wide one if none is given.
    package init(
        logger: Logger, eventLoopGroup: (any EventLoopGroup)? = nil, clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.logger = logger
        self.eventLoopGroup = eventLoopGroup ?? MultiThreadedEventLoopGroup.singleton
        self.clock = clock
    }

    /// Reads what the forwarders name. Nothing changes yet.
    ///
    /// - Throws: `AccessError` (configuration) for a file of authorities that cannot be used.
    package func select(_ configurations: [ForwarderConfiguration]) throws -> Selection {
        var selection = Selection()
        for configuration in configurations {
            let forwarder = Forwarder(configuration, logger: logger, eventLoopGroup: eventLoopGroup)
            var place = Place(address: configuration.listen, descriptor: configuration.socket?.descriptor)
            while selection.byPlace[place] != nil { place.number += 1 }
            selection.byPlace[place] = try forwarder.prepared()
        }
        return selection
    }

    /// Puts others in force, soon.
    package func replace(by selection: Selection) {
        selections.continuation.yield(selection)
    }

    /// Serves what is in force until cancelled, which is the graceful stop.
    ///
    /// - Parameter onChange: told how they are whenever that changes.
    package func run(onChange: @escaping @Sendable (Condition) -> Void = { _ in }) async {
        await withDiscardingTaskGroup { children in
            var standing: [Place: ForwarderListener] = [:]
            for await selection in selections.stream {
                onChange(want(selection))
                for (place, listener) in standing where selection.byPlace[place] == nil {
                    listener.retire()
                    standing[place] = nil
                }
                for (place, forwarder) in selection.byPlace {
                    if let listener = standing[place] {
                        listener.replace(by: forwarder)
                        continue
                    }
                    let listener = ForwarderListener(forwarder, clock: clock)
                    standing[place] = listener
                    children.addTask {
                        // It throws only where it must listen.
                        try? await listener.run { self.note($0, of: place, onChange) }
                    }
                }
            }
        }
    }

    private func want(_ selection: Selection) -> Condition {
        state.withLock { state in
            state.wanted = Set(selection.byPlace.keys)
            state.conditions = state.conditions.filter { state.wanted.contains($0.key) }
            return Self.summary(state)
        }
    }

    private func note(
        _ condition: ForwarderListener.Condition, of place: Place, _ onChange: @Sendable (Condition) -> Void
    ) {
        let summary = state.withLock { state -> Condition? in
            guard state.wanted.contains(place) else { return nil }
            state.conditions[place] = condition
            return Self.summary(state)
        }
        if let summary { onChange(summary) }
    }

    private static func summary(_ state: State) -> Condition {
        var summary = Condition(wanted: state.wanted.count)
        for condition in state.conditions.values {
            switch condition {
            case .listening: summary.listening += 1
            case .failed(let error):
                summary.failed += 1
                summary.trouble = "\(error)"
            }
        }
        return summary
    }
}
