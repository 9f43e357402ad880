import AccessServer
import Edge
import EdgeStore
import Synchronization

/// The names of the team as visitors reach them; the port is known for certain only when the listener is bound.
final class TeamAddress: Sendable {
    private let current: Mutex<TeamNames>
    private let isFixed: Bool

    init(_ settings: EdgeSettings, names: VisitorGate.Names, listen: ListenAddress) {
        isFixed = settings.publicPort != nil
        current = Mutex(
            TeamNames(team: names.team, store: names.store, port: settings.publicPort ?? listen.port))
    }

    var names: TeamNames { current.withLock { $0 } }

    /// - Parameter address: `ip:port`.
    func bound(to address: String) {
        guard !isFixed, let port = address.split(separator: ":").last.flatMap({ Int($0) }) else { return }
        current.withLock { $0.port = port }
    }
}
