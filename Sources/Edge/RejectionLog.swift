import EdgeTransport
package import Logging
import Synchronization

/// Tells of connections that a port could make nothing of: a line each with its remedy, and when they come in floods,
/// how many were left out. Keeps two numbers and a time, however many there are.
package final class RejectionLog: Sendable {
    /// Lines within one interval.
    private static let burst = 5
    private static let interval = Duration.seconds(10)

    private struct State {
        var began: Duration?
        var told = 0
        var untold = 0
    }

    private let logger: Logger
    private let now: @Sendable () -> Duration
    private let state = Mutex(State())

    /// - Parameter now: time that has passed since some moment.
    package init(logger: Logger, now: @escaping @Sendable () -> Duration = RejectionLog.uptime()) {
        self.logger = logger
        self.now = now
    }

    /// - Parameter address: who connected.
    package func report(_ message: String, address: String) {
        let now = now()
        let untold = state.withLock { state -> Int? in
            if state.began.map({ now - $0 >= Self.interval }) ?? true {
                state.began = now
                state.told = 0
            }
            guard state.told < Self.burst else {
                state.untold += 1
                return nil
            }
            state.told += 1
            defer { state.untold = 0 }
            return state.untold
        }
        guard let untold else { return }
        var metadata: Logger.Metadata = ["ip": "\(address)"]
        if untold > 0 { metadata["leftOut"] = "\(untold)" }
        logger.warning("\(message)", metadata: metadata)
    }

    package static func uptime() -> @Sendable () -> Duration {
        let start = ContinuousClock.now
        return { ContinuousClock.now - start }
    }

    // MARK: Words

    /// What went wrong on the tunnel port; nil when somebody only connected and left.
    static func tunnelMessage(for error: any Error) -> String? {
        switch (error as? LinkError)?.code {
        case .handshakeFailed where isPlainText(error):
            "Tunnel port: what came is not TLS; only connectors belong here (cloudflared tunnel --edge), browsers and "
                + "clients use the https port"
        case .handshakeFailed:
            "Tunnel port: the TLS handshake failed; a connector must trust this edge (cloudflared tunnel --cacert with "
                + "the edge's ca.pem)"
        case .protocolViolation, .silentStart:
            "Tunnel port: no connector's HTTP/2 came; only connectors belong here (cloudflared tunnel --protocol "
                + "http2), browsers and clients use the https port"
        default: nil
        }
    }

    /// What went wrong on the port for visitors; nil for a visitor that refused us or only connected and left.
    static func visitorMessage(for error: any Error) -> String? {
        let text = String(describing: error)
        if isPlainText(error) {
            return "Https port: what came is not TLS; visitors use https:// here, connectors the tunnel port"
        }
        guard text.contains("sslError"), !text.contains("ALERT"), !text.contains("EOF") else { return nil }
        return "Https port: a TLS handshake failed; visitors need TLS 1.2 or newer, connectors use the tunnel port"
    }

    private static func isPlainText(_ error: any Error) -> Bool {
        let text = String(describing: error)
        return ["HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL"].contains {
            text.contains($0)
        }
    }
}
