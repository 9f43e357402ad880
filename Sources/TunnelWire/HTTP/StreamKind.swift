/// What a stream opened by the edge is for (tunnel-protocol section 2.2).
package enum StreamKind: Equatable, Sendable, CaseIterable {
    case http
    case webSocket
    case tcp
    case controlStream
    case updateConfiguration

    /// Classifies by the values of `ControlHeader.connectionUpgrade` and `ControlHeader.tcpSource`, nil where absent.
    /// Method and path take no part; an unknown upgrade is HTTP.
    package init(connectionUpgrade: String?, tcpSource: String?) {
        switch connectionUpgrade {
        case ControlHeader.Upgrade.updateConfiguration: self = .updateConfiguration
        case ControlHeader.Upgrade.webSocket: self = .webSocket
        case _ where tcpSource.map { !$0.isEmpty } ?? false: self = .tcp
        case ControlHeader.Upgrade.controlStream: self = .controlStream
        default: self = .http
        }
    }

    /// The field that makes the connector take a request for a stream of this kind; nil for HTTP, which has none.
    package var header: (name: String, value: String)? {
        switch self {
        case .http: nil
        case .webSocket: (ControlHeader.connectionUpgrade, ControlHeader.Upgrade.webSocket)
        case .tcp: (ControlHeader.tcpSource, ControlHeader.tcpSourceValue)
        case .controlStream: (ControlHeader.connectionUpgrade, ControlHeader.Upgrade.controlStream)
        case .updateConfiguration: (ControlHeader.connectionUpgrade, ControlHeader.Upgrade.updateConfiguration)
        }
    }
}
