import AccessPolicy
import Foundation

extension Pages {
    /// - Parameters:
    ///   - poller: address of the client that waits; nil: none does.
    ///   - target: where the form is sent: here.
    static func consent(
        to application: String, host: String, session: AccessSession, key: String, poller: String?, browser: String,
        target: String, token: String
    ) -> Page {
        guard let poller else { return nobodyWaits(again: target) }
        return Page(
            title: "Let a program in?",
            content: """
                <p>A program wants to use <strong>\(application)</strong> (\(host)) as you.</p>
                <dl><dt>You are</dt><dd>\(session.profile.email ?? session.profile.name ?? session.profile.userID)</dd>
                <dt>The program asks from</dt><dd>\(poller)</dd>
                <dt>Its key begins with</dt><dd><code>\(String(key.prefix(8)))</code></dd></dl>
                \(warning(poller, browser))
                <p>Go on only if you have just started <code>cloudflared</code> yourself and its link shows
                <code>token=\(String(key.prefix(8)))</code>.</p>
                \(decision(target: target, token: token))
                """)
    }

    /// Two buttons, the harmless one last in reach of nothing but a choice.
    static func decision(target: String, token: String) -> HTML {
        """
        <form method="post" action="\(target)">
        <input type="hidden" name="csrf" value="\(token)">
        <button class="act" type="submit" name="decision" value="allow">Allow</button>
        <button class="act soft" type="submit" name="decision" value="refuse">Refuse</button>
        </form>
        """
    }

    static func nobodyWaits(again target: String? = nil) -> Page {
        let link: HTML =
            if let target { "<p><a class=\"act\" href=\"\(target)\">Look again</a></p>" } else { "" }
        return Page(
            status: 409, title: "No program is waiting",
            content: """
                <p>The program that this link belongs to is not asking, or already has what it came for.</p>
                <p>Start <code>cloudflared</code> again if you still need it. If somebody sent you this link, close this \
                page.</p>
                \(link)
                """)
    }

    static func refused() -> Page {
        Page(title: "Refused", content: "<p>The program gets nothing. You can close this page.</p>")
    }

    static func handedOver(closes: Bool) -> Page {
        Page(
            title: "Done", content: "<p>The program can go on. You can close this page.</p>", closesItself: closes)
    }
}

extension Pages {
    static func accountConsent(
        zone: String, session: AccessSession, key: String, poller: String?, browser: String, target: String,
        token: String
    ) -> Page {
        guard let poller else { return nobodyWaits(again: target) }
        return Page(
            title: "Hand out the account's certificate?",
            content: """
                <p>A program wants to manage the tunnels and hostnames of <strong>\(zone)</strong>.</p>
                <dl><dt>You are</dt><dd>\(session.profile.email ?? session.profile.name ?? session.profile.userID)</dd>
                <dt>The program asks from</dt><dd>\(poller)</dd>
                <dt>Its key begins with</dt><dd><code>\(String(key.prefix(8)))</code></dd></dl>
                \(warning(poller, browser))
                <p>Go on only if you have just started <code>cloudflared login</code> yourself.</p>
                \(decision(target: target, token: token))
                """)
    }

    /// A link from somebody else asks from somewhere else.
    private static func warning(_ poller: String, _ browser: String) -> HTML {
        if poller == browser { return "" }
        return """
            <p class="warn"><strong>Careful:</strong> the program asks from \(poller), but you are at \(browser). If you \
            did not start it yourself, somebody may be trying to use your login.</p>
            """
    }
}
