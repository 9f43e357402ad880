package import FoundationEssentials

/// What to do with one request (access-protocol section 3.3, steps 2 and 5 to 10).
package enum AccessDecision: Hashable, Sendable {
    /// No application guards it: to be forwarded or refused as the edge is configured.
    case unguarded
    /// Not to be forwarded by anybody's leave: a 400-class answer.
    case refused(Refusal)
    /// A bypass policy: forward without an assertion.
    case bypass(AccessApplication, Policy.ID)
    /// Forward with an assertion for `subject`.
    case forward(AccessApplication, Policy.ID, Admission)
    /// Section 3.5: a login may lead further. A service token does not (section 3.8).
    case loginNeeded(AccessApplication, ServiceTokenLack)
    /// Only programs are let in, and this one lacks a good token.
    case serviceTokenNeeded(AccessApplication, ServiceTokenLack)
    /// 403: no login would help, or this one does not.
    case denied(AccessApplication, Denial)

    package enum Refusal: Hashable, Sendable {
        case notAHost
        /// Its path can be read as belonging to these applications, which differ.
        case ambiguousPath([AccessApplication.ID])
        case undecidablePath
    }

    package struct Admission: Hashable, Sendable {
        package enum Subject: Hashable, Sendable {
            case user(Identity)
            case serviceToken(ServiceTokenID)
            /// A client certificate, by its common name.
            case certificate(String?)
        }

        package var subject: Subject
        /// How long a token for it may live from now on.
        package var expires: Date

        package init(subject: Subject, expires: Date) {
            self.subject = subject
            self.expires = expires
        }
    }

    package enum ServiceTokenLack: Hashable, Sendable {
        case missing, wrong, expired
        /// A live one that no policy lets in.
        case notAllowed
    }

    package enum Denial: Hashable, Sendable {
        case policy(Policy.ID)
        /// No policy lets this visitor in.
        case noPolicy
    }

    /// The application, where one was found.
    package var application: AccessApplication? {
        switch self {
        case .unguarded, .refused: nil
        case .bypass(let application, _), .forward(let application, _, _), .loginNeeded(let application, _),
            .serviceTokenNeeded(let application, _), .denied(let application, _):
            application
        }
    }

    package var isForward: Bool {
        switch self {
        case .bypass, .forward: true
        case .unguarded, .refused, .loginNeeded, .serviceTokenNeeded, .denied: false
        }
    }
}
