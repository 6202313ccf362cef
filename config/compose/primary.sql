-- docker-compose.yml: the account that watches the servers. It is replicated, so it is made on the primary only.
CREATE USER monitor@'%' IDENTIFIED BY 'monitor-secret';
GRANT REPLICA MONITOR ON *.* TO monitor@'%';
