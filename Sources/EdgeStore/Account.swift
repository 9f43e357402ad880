import Crypto
package import Foundation
import TunnelConfig

/// Whose edge this is: the one account and the one zone it serves. Written at `init`, never changed.
package struct Account: Sendable, Equatable {
    /// 32 hexadecimal digits; the account tag in credentials and API paths.
    package let id: String
    /// 32 hexadecimal digits.
    package let zoneID: String
    /// The domain inside which hostnames are served, such as `site.test`.
    package let zone: String
    /// Label of the Access team domain, `TEAM.ZONE`.
    package let team: String
    /// SHA-256 of the account API's bearer token.
    package let tokenHash: [UInt8]
    package let createdAt: Date

    package init(id: String, zoneID: String, zone: String, team: String, tokenHash: [UInt8], createdAt: Date) {
        self.id = id
        self.zoneID = zoneID
        self.zone = zone
        self.team = team
        self.tokenHash = tokenHash
        self.createdAt = createdAt
    }

    /// Whether `token` is the account's bearer token. Takes the same time for every wrong one.
    package func accepts(token: some Sequence<UInt8>) -> Bool {
        Self.constantTimeEqual(Self.hash(token: token), tokenHash)
    }

    package static func hash(token: some Sequence<UInt8>) -> [UInt8] {
        Array(SHA256.hash(data: Array(token)))
    }

    static func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// Where the account API answers.
    package var apiHostname: String { "api.\(zone)" }
    /// The Access team domain.
    package var teamHostname: String { "\(team).\(zone)" }

    /// Checks a hostname that is to be routed and gives it in the form in which it is stored: lower case, no final dot.
    ///
    /// Allowed are the zone itself and what is under it, with `*` as the whole first label; not the names that the
    /// edge answers itself.
    package func hostname(_ text: String) throws -> String {
        let name = try Self.name(text)
        guard name == zone || name.hasSuffix(".\(zone)") else {
            throw StoreError(
                .hostnameRefused, "\(text) is not inside this edge's zone \(zone); use a name that ends in .\(zone)")
        }
        guard name != apiHostname, name != teamHostname else {
            throw StoreError(.hostnameRefused, "\(name) is answered by the edge itself; choose another hostname")
        }
        return name
    }

    /// A domain name that can be a zone: lower case, no wildcard.
    package static func zone(_ text: String) throws -> String {
        let name = try name(text)
        guard !name.contains("*") else {
            throw StoreError(.invalid, "\"\(text)\" cannot be a zone: give a domain name such as site.test")
        }
        return name
    }

    private static func name(_ text: String) throws -> String {
        guard let name = DomainName.ascii(text) else {
            throw StoreError(.invalid, "\"\(text)\" is not a hostname: write it like rdp.site.test")
        }
        for (index, label) in name.split(separator: ".").enumerated() {
            if index == 0, label == "*", name != "*" { continue }
            guard !label.contains("*") else {
                throw StoreError(.invalid, "\"\(text)\" is not a hostname: * may only be its whole first part")
            }
            guard !label.hasPrefix("-"), !label.hasSuffix("-") else {
                throw StoreError(.invalid, "\"\(text)\" is not a hostname: a part of it starts or ends with -")
            }
        }
        return name
    }
}
