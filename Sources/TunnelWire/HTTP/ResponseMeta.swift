import FoundationEssentials

/// Who made the status of a response: the value of `ControlHeader.responseMeta` (tunnel-protocol section 2.5).
package enum ResponseMeta: Equatable, Sendable, CaseIterable {
    /// A service, whatever it answered.
    case origin
    /// The connector itself, because it could not reach the service.
    case connector
    /// The connector itself, because it carries as many flows as it may.
    case flowRateLimited

    /// The exact bytes of the official connector.
    package var encoded: String {
        switch self {
        case .origin: #"{"src":"origin"}"#
        case .connector: #"{"src":"cloudflared"}"#
        case .flowRateLimited: #"{"src":"cloudflared","flow_rate_limited":true}"#
        }
    }

    /// Understands other orders, blanks and members too. Nil when the source is not told: take the response for the origin's.
    package init?(decoding text: String) {
        if let known = Self.allCases.first(where: { $0.encoded == text }) {
            self = known
            return
        }
        guard text.utf8.count <= Self.maximumBytes,
            let members = try? JSONDecoder().decode(Members.self, from: Data(text.utf8))
        else { return nil }
        switch members.src {
        case "origin": self = .origin
        case "cloudflared": self = members.isFlowRateLimited == true ? .flowRateLimited : .connector
        default: return nil
        }
    }

    private static let maximumBytes = 4096

    private struct Members: Decodable {
        var src: String
        var isFlowRateLimited: Bool?

        enum CodingKeys: String, CodingKey {
            case src
            case isFlowRateLimited = "flow_rate_limited"
        }
    }
}
