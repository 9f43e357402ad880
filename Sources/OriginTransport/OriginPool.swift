import NIOCore
import TunnelConfig

/// Idle connections to HTTP origins, of one event loop. Bounded per destination and in time by the rule that made them.
// Safety: confined to its event loop.
final class OriginPool: @unchecked Sendable {
    /// What a connection leads to: only requests with the same key may share it.
    struct Key: Hashable {
        var target: OriginTarget
        var options: OriginRequest
        /// Nil without TLS.
        var serverName: String?
    }

    private var idle: [Key: [HTTPConnection]] = [:]
    private var isClosed = false

    init() {}

    /// The connection used last, since it is the least likely to have been closed.
    func take(_ key: Key) -> HTTPConnection? {
        while let connection = idle[key]?.popLast() {
            if idle[key]?.isEmpty ?? false { idle[key] = nil }
            if connection.isOpen { return connection }
        }
        return nil
    }

    /// Returns false when there is no room.
    func put(_ connection: HTTPConnection) -> Bool {
        let options = connection.key.options
        guard !isClosed, idle[connection.key, default: []].count < options.keepAliveConnections else { return false }
        idle[connection.key, default: []].append(connection)
        connection.closeIdle(after: TimeAmount(options.keepAliveTimeout))
        return true
    }

    func remove(_ connection: HTTPConnection) {
        guard var connections = idle[connection.key] else { return }
        connections.removeAll { $0 === connection }
        idle[connection.key] = connections.isEmpty ? nil : connections
    }

    /// Closes what is idle, and from now on everything that becomes so.
    func close() {
        isClosed = true
        let all = idle.values.joined()
        idle = [:]
        for connection in all { connection.close() }
    }
}
