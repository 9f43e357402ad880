package import NIOCore

/// The connector's side of the control stream (tunnel-protocol sections 3.5 and 5.5).
package enum RegistrationClient {
    /// A call whose answer may fail to come. The owner of the machine keeps the clock.
    package enum Call: Equatable, Sendable {
        case register
        case localConfiguration
        case unregister
    }

    /// Why a call has no result.
    package enum CallFailure: Error, Equatable, Sendable {
        /// The edge answered with an exception.
        case exception(String)
        /// The edge answered with something that is no answer, such as an identifier of the wrong length.
        case malformedAnswer(String)
        case canceled
        case timedOut
        /// Nothing can be asked before the edge has accepted the registration.
        case notRegistered
        case tooManyCalls
        /// The question does not fit into a message that an edge accepts.
        case tooLarge

        /// Whether asking the same again is pointless.
        package var isPermanent: Bool {
            switch self {
            case .exception, .malformedAnswer, .tooLarge: true
            case .canceled, .timedOut, .notRegistered, .tooManyCalls: false
            }
        }
    }

    /// What the owner of the machine does, in this order.
    package enum Action: Equatable, Sendable {
        /// Write and flush to the control stream.
        case send(ByteBuffer)
        case registered(ConnectionDetails)
        /// The edge said no and why.
        case refused(ConnectionError)
        /// There was no answer to the registration that could be understood.
        case registrationFailed(CallFailure)
        /// The edge has taken the local configuration, or not.
        case localConfigurationAnswered(CallFailure?)
        /// The edge has been told, as far as it can be: it answered, refused, or the time was up.
        case unregistered
        /// The last action. What was sent before is to be flushed, then the control stream ended. Calls without an answer
        /// get none any more.
        case closed(reason: String, failed: Bool)
    }
}

extension RegistrationClient.CallFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .exception(let reason): "the edge answered: \(reason)"
        case .malformedAnswer(let reason): "the edge's answer cannot be understood: \(reason)"
        case .canceled: "the edge canceled the call"
        case .timedOut: "the edge did not answer in time"
        case .notRegistered: "the connection is not registered"
        case .tooManyCalls: "too many calls wait for an answer"
        case .tooLarge: "the message is too large"
        }
    }
}
