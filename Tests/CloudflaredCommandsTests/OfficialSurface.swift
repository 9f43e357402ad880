/// The command line of the official client 2026.8.2: name and aliases, type (S text, B bool, I integer, U unsigned, D
/// duration, L list), environment variables.
enum OfficialSurface {
    static let commands = """
        update,version,login,tunnel,tunnel login,tunnel create,tunnel route,tunnel route dns,tunnel route lb,tunnel route \
        ip,tunnel route ip add,tunnel route ip show,tunnel route ip delete,tunnel route ip get,tunnel vnet,tunnel vnet \
        add,tunnel vnet list,tunnel vnet delete,tunnel vnet update,tunnel run,tunnel list,tunnel ready,tunnel info,tunnel \
        ingress,tunnel ingress validate,tunnel ingress rule,tunnel delete,tunnel cleanup,tunnel token,tunnel diag,tunnel \
        proxy-dns,proxy-dns,tunnel db-connect,db-connect,access,access login,access curl,access token,access tcp,access \
        ssh-config,access ssh-gen,tail,tail token,management,management token,service,service install,service uninstall
        """.split(separator: ",").map(String.init)

    /// By the commands that define them. The root, which is "", and `tunnel` define the same ones.
    static let flags: [(commands: [String], text: String)] = [
        (["", "tunnel"], base), (["", "tunnel", "tunnel run"], origin), (["", "tunnel"], logging),
        (["", "tunnel"], removedProxy), (["", "tunnel"], connector),
        (["", "tunnel", "tunnel run"], connectorOfRun), (["tunnel run"], run),
        (["update"], "beta B\nversion S\nforce B\nstaging B"), (["version"], "short/s B"),
        (["login", "tunnel login"], "loginURL S\ncallbackURL S\nfedramp/f B"),
        (
            ["tunnel create"],
            "output/o S\ncredentials-file/cred-file S TUNNEL_CRED_FILE\nsecret/s S TUNNEL_CREATE_SECRET"
        ),
        (["tunnel route dns"], "overwrite-dns/f B TUNNEL_FORCE_PROVISIONING_DNS"),
        (["tunnel route ip add", "tunnel route ip delete", "tunnel route ip get"], "vnet/vn S"),
        (["tunnel route ip show"], routeFilters), (["tunnel vnet add"], "default/d B"),
        (["tunnel vnet list"], "id S\nname S\nis-default B\nshow-deleted B\noutput/o S"),
        (["tunnel vnet delete"], "force/f B"), (["tunnel vnet update"], "name/n S\ncomment/c S\ndefault/d B"),
        (["tunnel list"], list),
        (
            ["tunnel info"],
            "output/o S\nshow-recently-disconnected/rd B\nsort-by S TUNNEL_INFO_SORT_BY\ninvert-sort B TUNNEL_INFO_INVERT_SORT"
        ),
        (["tunnel ingress validate"], "json/j S TUNNEL_INGRESS_VALIDATE_JSON"),
        (["tunnel delete"], "credentials-file S TUNNEL_CRED_FILE\nforce/f B TUNNEL_RUN_FORCE_OVERWRITE"),
        (["tunnel cleanup"], "connector-id/c S TUNNEL_CLEANUP_CONNECTOR"),
        (["tunnel token"], "credentials-file S TUNNEL_CRED_FILE"), (["tunnel diag"], diagnosis),
        (["access"], "fedramp B"), (["access login"], "quiet/q B\nno-verbose B\nauto-close B\napp S"),
        (["access token"], "app S"), (["access tcp"], forward),
        (["access ssh-config"], "hostname S\nshort-lived-cert B"), (["access ssh-gen"], "hostname S"), (["tail"], tail),
        (["management token"], "resource S\norigincert S\nloglevel S\noutput S"),
        (["service install"], "no-update-service B"),
    ]

    private static let base = """
        config S
        origincert S TUNNEL_ORIGIN_CERT
        autoupdate-freq D
        no-autoupdate B NO_AUTOUPDATE
        no-prechecks B TUNNEL_NO_PRECHECKS
        metrics S TUNNEL_METRICS
        pidfile S TUNNEL_PIDFILE
        """

    private static let origin = """
        url S TUNNEL_URL
        hello-world B TUNNEL_HELLO_WORLD
        unix-socket S TUNNEL_UNIX_SOCKET
        bastion B TUNNEL_BASTION
        socks5 B TUNNEL_SOCKS
        proxy-connect-timeout D
        proxy-tls-timeout D
        proxy-tcp-keepalive D
        proxy-no-happy-eyeballs B
        proxy-keepalive-connections I
        proxy-keepalive-timeout D
        proxy-connection-timeout D
        proxy-expect-continue-timeout D
        http-host-header S TUNNEL_HTTP_HOST_HEADER
        origin-server-name S TUNNEL_ORIGIN_SERVER_NAME
        origin-ca-pool S TUNNEL_ORIGIN_CA_POOL
        no-tls-verify B NO_TLS_VERIFY
        no-chunked-encoding B TUNNEL_NO_CHUNKED_ENCODING
        http2-origin B TUNNEL_ORIGIN_ENABLE_HTTP2
        management-hostname S TUNNEL_MANAGEMENT_HOSTNAME
        service-op-ip S TUNNEL_SERVICE_OP_IP
        proxy-address S TUNNEL_PROXY_ADDRESS
        proxy-port I TUNNEL_PROXY_PORT
        ssh-server B TUNNEL_SSH_SERVER
        local-ssh-port S LOCAL_SSH_PORT
        ssh-idle-timeout D SSH_IDLE_TIMEOUT
        ssh-max-timeout D SSH_MAX_TIMEOUT
        bucket-name S BUCKET_ID
        region-name S REGION_ID
        secret-id S SECRET_ID
        access-key-id S ACCESS_CLIENT_ID
        session-token S SESSION_TOKEN_ID
        s3-url-host S S3_URL
        host-key-path S HOST_KEY_PATH
        """

    private static let logging = """
        loglevel S TUNNEL_LOGLEVEL
        transport-loglevel/proto-loglevel S TUNNEL_PROTO_LOGLEVEL TUNNEL_TRANSPORT_LOGLEVEL
        logfile S TUNNEL_LOGFILE
        log-directory S TUNNEL_LOGDIRECTORY
        trace-output S TUNNEL_TRACE_OUTPUT
        output S TUNNEL_MANAGEMENT_OUTPUT TUNNEL_LOG_OUTPUT
        """

    private static let removedProxy = """
        proxy-dns B
        proxy-dns-port I
        proxy-dns-address S
        proxy-dns-upstream L
        proxy-dns-max-upstream-conns I
        proxy-dns-bootstrap L
        """

    private static let connectorOfRun = """
        credentials-file/cred-file S TUNNEL_CRED_FILE
        protocol/p S TUNNEL_TRANSPORT_PROTOCOL
        post-quantum/pq B TUNNEL_POST_QUANTUM
        """

    private static let connector = """
        name/n S TUNNEL_NAME
        hostname S TUNNEL_HOSTNAME
        lb-pool S TUNNEL_LB_POOL
        overwrite-dns/f B TUNNEL_FORCE_PROVISIONING_DNS
        quick-service S
        region S TUNNEL_REGION
        edge L TUNNEL_EDGE
        cacert S TUNNEL_CACERT
        api-url S TUNNEL_API_URL
        edge-ip-version S TUNNEL_EDGE_IP_VERSION
        edge-bind-address S TUNNEL_EDGE_BIND_ADDRESS
        ha-connections I
        retries I TUNNEL_RETRIES
        max-edge-addr-retries I
        rpc-timeout D
        grace-period D TUNNEL_GRACE_PERIOD
        write-stream-timeout D TUNNEL_STREAM_WRITE_TIMEOUT
        quic-disable-pmtu-discovery B TUNNEL_DISABLE_QUIC_PMTU
        quic-connection-level-flow-control-limit I TUNNEL_QUIC_CONN_LEVEL_FLOW_CONTROL_LIMIT
        quic-stream-level-flow-control-limit I TUNNEL_QUIC_STREAM_LEVEL_FLOW_CONTROL_LIMIT
        label S
        tag L TUNNEL_TAG
        management-diagnostics B TUNNEL_MANAGEMENT_DIAGNOSTICS
        stdin-control B STDIN_CONTROL
        max-fetch-size I TUNNEL_MAX_FETCH_SIZE
        metrics-update-freq D TUNNEL_METRICS_UPDATE_FREQ
        heartbeat-interval D
        heartbeat-count I
        compression-quality I TUNNEL_COMPRESSION_LEVEL
        use-reconnect-token B TUNNEL_USE_RECONNECT_TOKEN
        dial-edge-timeout D DIAL_EDGE_TIMEOUT
        is-autoupdated B
        id S TUNNEL_ID
        api-key S TUNNEL_API_KEY
        api-email S TUNNEL_API_EMAIL
        api-ca-key S TUNNEL_API_CA_KEY
        ui B
        """

    private static let run = """
        token S TUNNEL_TOKEN
        token-file S TUNNEL_TOKEN_FILE
        credentials-contents S TUNNEL_CRED_CONTENTS
        features/F L
        icmpv4-src S TUNNEL_ICMPV4_SRC
        icmpv6-src S TUNNEL_ICMPV6_SRC
        max-active-flows U TUNNEL_MAX_ACTIVE_FLOWS
        dns-resolver-addrs L TUNNEL_DNS_RESOLVER_ADDRS
        """

    private static let routeFilters = """
        filter-is-deleted B
        filter-tunnel-id S
        filter-network-is-subset-of/nsub S
        filter-network-is-superset-of/nsup S
        filter-comment-is S
        filter-vnet-id S
        output/o S
        """

    private static let list = """
        output/o S
        show-deleted/d B
        name/n S
        name-prefix/np S
        exclude-name-prefix/enp S
        when/w S
        id/i S
        show-recently-disconnected/rd B
        sort-by S TUNNEL_LIST_SORT_BY
        invert-sort B TUNNEL_LIST_INVERT_SORT
        """

    private static let diagnosis = """
        metrics S
        diag-container-id S
        diag-pod-id S
        no-diag-logs B
        no-diag-metrics B
        no-diag-system B
        no-diag-runtime B
        no-diag-network B
        """

    private static let forward = """
        hostname/tunnel-host/T S TUNNEL_SERVICE_HOSTNAME
        destination S TUNNEL_SERVICE_DESTINATION
        url/listener/L S TUNNEL_SERVICE_URL
        header/H L
        service-token-id/id S TUNNEL_SERVICE_TOKEN_ID
        service-token-secret/secret S TUNNEL_SERVICE_TOKEN_SECRET
        logfile S
        log-directory S
        log-level/loglevel S
        connect-to S
        debug-stream U
        """

    private static let tail = """
        connector-id S TUNNEL_MANAGEMENT_CONNECTOR
        event L TUNNEL_MANAGEMENT_FILTER_EVENTS
        level S TUNNEL_MANAGEMENT_FILTER_LEVEL
        sample S TUNNEL_MANAGEMENT_FILTER_SAMPLE
        token S TUNNEL_MANAGEMENT_TOKEN
        management-hostname S TUNNEL_MANAGEMENT_HOSTNAME
        trace S
        loglevel S TUNNEL_LOGLEVEL
        origincert S TUNNEL_ORIGIN_CERT
        output S
        """
}
